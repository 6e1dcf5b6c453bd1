"""A child that plays one part, named by its first argument; starts in a twentieth of a second."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

assignment = json.loads(sys.stdin.read())


def say(kind: str, **body: Any) -> None:
    os.write(1, json.dumps({"kind": kind, **body}).encode() + b"\n")


def advance(progress: int) -> None:
    say("Advanced", progress=progress, detail={"stage": "train", "percent": 1.0})


def work_until(number: signal.Signals, exit_code: int) -> None:
    """Work until the signal; then save, and leave with this code."""

    def stop(*_: Any) -> None:
        say("CheckpointSaved", pointer={"uri": "last", "sha256": "0" * 64, "step": 9})
        os._exit(exit_code)

    signal.signal(number, stop)
    step = 0
    while True:
        step += 1
        advance(step)
        time.sleep(0.05)


match sys.argv[1:]:
    case ["succeed"]:
        advance(3)
        say("Succeeded", result={"model_id": "model_1", "attempt": assignment["attempt"]})
    case ["fail"]:
        say("Failed", problem={"code": "teacher-unusable", "status": 422, "stage": "label"})
        sys.exit(1)
    case ["die"]:
        os.kill(os.getpid(), signal.SIGKILL)
    case ["die-after", progress]:
        advance(int(progress))
        os.kill(os.getpid(), signal.SIGKILL)
    case ["die-further-each-time"]:
        advance(assignment["attempt"] * 10)
        os.kill(os.getpid(), signal.SIGKILL)
    case ["raise"]:
        raise RuntimeError("a text that nobody may see")
    case ["silence"]:
        sys.exit(0)
    case ["babble"]:
        os.write(1, b'hello\n{"kind": "Unknown"}\n\xff\xfe\n[1]\n')
        say("Succeeded", result={})
    case ["release"]:
        sys.exit(75)
    case ["ghost"]:
        sys.exit(76)
    case ["work"]:
        work_until(signal.SIGTERM, 75)
    case ["work-stubbornly"]:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        work_until(signal.SIGUSR1, 0)
    case ["wait"]:
        for _ in range(15):
            say("Waiting")
            time.sleep(0.1)
        say("Succeeded", result={})
    case ["write-assignment", path]:
        Path(path).write_text(json.dumps(assignment))
        say("Succeeded", result={})
    case ["hang"]:
        advance(1)
        time.sleep(600)
    case ["checkpoints", folder]:
        for step in (1, 2, 3):
            saved = Path(folder, f"step-{step}")
            saved.mkdir(parents=True)
            say("CheckpointSaved", pointer={"uri": str(saved), "sha256": "0" * 64, "step": step})
            time.sleep(0.2 if step > 1 else 0)
        work_until(signal.SIGTERM, 75)
    case ["parts"]:
        for step in (1, 2, 3):
            say("CheckpointSaved", pointer={"parts": f"{step}" * 64, "step": step})
            time.sleep(0.2 if step > 1 else 0)
        work_until(signal.SIGTERM, 75)
    case ["leave-a-grandchild"]:
        grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
        advance(grandchild.pid)
        say("Succeeded", result={"pid": grandchild.pid})
    case ["show-environment"]:
        say("Succeeded", result={"environment": dict(os.environ), "assignment": assignment})
    case unknown:
        sys.exit(f"no such part: {unknown}")

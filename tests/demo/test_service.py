"""Starting and stopping the two processes: nothing is left behind, nothing fails silently."""

import os
import signal
from pathlib import Path

import httpx
import pytest

from demo import service
from demo.service import ServiceFailed, running_service

# Stands in for the API: ready at once, ends on SIGTERM.
SERVER = """
import http.server, os
class Ready(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.send_header("Content-Length", "0"); self.end_headers()
    def log_message(self, *args): pass
print("settings", sorted(n for n in os.environ if n.startswith("LLKD_")), flush=True)
http.server.HTTPServer(("127.0.0.1", int(os.environ["LLKD_PORT"])), Ready).serve_forever()
"""
SLEEPER = "import time; time.sleep(600)"
DIES = "print('no such table'); raise SystemExit(3)"


def use(monkeypatch: pytest.MonkeyPatch, *, api: str, worker: str) -> None:
    commands = {service.API: ("-c", api), service.WORKER: ("-c", worker)}
    monkeypatch.setattr(service, "COMMANDS", commands)


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


class TestRunningService:
    def test_both_processes_run_inside_and_none_after(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        use(monkeypatch, api=SERVER, worker=SLEEPER)
        with running_service(tmp_path / "var") as running:
            running.check()
            pids = [process.pid for process in running.processes.values()]
            assert httpx.get(f"{running.url}/readyz", trust_env=False).status_code == 200
            assert all(map(is_running, pids))
        assert not any(map(is_running, pids))

    def test_settings_of_the_caller_do_not_leak_in(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        use(monkeypatch, api=SERVER, worker=SLEEPER)
        monkeypatch.setenv("LLKD_DATABASE_URL", "postgresql://production")
        with running_service(tmp_path, settings={"LLKD_TORCH_THREADS": "1"}) as running:
            said = running.log_tail(service.API)
        assert "LLKD_DATABASE_URL" not in said
        assert "LLKD_TORCH_THREADS" in said

    def test_an_api_that_dies_is_reported_with_its_last_words(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        use(monkeypatch, api=DIES, worker=SLEEPER)
        with (
            pytest.raises(ServiceFailed, match=r"(?s)The api ended with 3.*no such table"),
            running_service(tmp_path),
        ):
            pytest.fail("it was not ready")

    def test_a_worker_that_dies_is_noticed_by_the_next_check(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        use(monkeypatch, api=SERVER, worker=DIES)
        with running_service(tmp_path) as running:
            running.processes[service.WORKER].wait(20)
            with pytest.raises(ServiceFailed, match="The worker ended with 3"):
                running.check()

    def test_a_process_that_ignores_the_request_to_end_is_killed(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setattr(service, "STOP_WITHIN_S", 0.3)
        deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
        use(monkeypatch, api=SERVER, worker=f"{deaf}print('deaf', flush=True); time.sleep(600)")
        with running_service(tmp_path) as running:
            worker = running.processes[service.WORKER]
            while "deaf" not in running.log_tail(service.WORKER).splitlines():
                running.check()
        assert worker.returncode == -signal.SIGKILL

    def test_sigterm_unwinds_as_ctrl_c_does(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        use(monkeypatch, api=SERVER, worker=SLEEPER)
        pids: list[int] = []

        def terminated() -> None:
            with running_service(tmp_path) as running:
                pids.extend(process.pid for process in running.processes.values())
                signal.raise_signal(signal.SIGTERM)

        with pytest.raises(KeyboardInterrupt):
            terminated()
        assert len(pids) == 2
        assert not any(map(is_running, pids))

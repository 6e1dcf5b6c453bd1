"""The real child with a scripted teacher: `slow_child.py FOLDER PAUSE`.

Its teacher waits so many seconds a batch, as for a model on a device of its own, and writes
each text that it is asked, behind the time and a tab, to FOLDER, in a file a process.
"""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from llkd.types import AnswerStatus, Question, TeacherAnswer
from worker import child
from worker.asking import opening


class SlowTeacher:
    fingerprint = "5" * 64
    model = "slow"
    batch_size = 16

    def answer(self, questions: Sequence[Question]) -> list[TeacherAnswer]:
        time.sleep(float(sys.argv[2]))
        with Path(sys.argv[1], str(os.getpid())).open("a") as asked:
            asked.writelines(f"{time.time()}\t{question.text}\n" for question in questions)
        return [
            TeacherAnswer(AnswerStatus.ANSWERED, label=len(question.text) % 3, confidence=0.5)
            for question in questions
        ]


opening.build_teacher = lambda *_, **__: SlowTeacher()  # type: ignore[attr-defined]
sys.exit(child.main())

"""What dead processes left is removed when it is old, and logs stay within bounds."""

import os
import time
from pathlib import Path

from worker.bounded_log import KEPT_JOBS, MAX_BYTES, BoundedLog
from worker.leftovers import sweep, temporary_folder


def make_old(path: Path, *, days: float) -> Path:
    then = time.time() - days * 86400
    os.utime(path, (then, then))
    return path


class TestSweeping:
    def test_takes_what_is_old_and_leaves_what_may_be_in_use(self, tmp_path: Path) -> None:
        for folder in ("scratch/old", "scratch/new", "checkpoints/job", "artifacts/incoming"):
            (tmp_path / folder).mkdir(parents=True)
        upload = tmp_path / "artifacts" / "incoming" / "part"
        upload.write_text("half a file")
        stored = tmp_path / "artifacts" / "ab"
        stored.mkdir()
        scratch, checkpoint = tmp_path / "scratch" / "old", tmp_path / "checkpoints" / "job"
        for path in (scratch, checkpoint, upload, stored):
            make_old(path, days=3)
        sweep(tmp_path)
        assert not scratch.exists()
        assert not upload.exists()
        assert (tmp_path / "scratch" / "new").exists()
        assert checkpoint.exists()
        assert stored.exists()

    def test_of_a_new_data_folder_finds_nothing(self, tmp_path: Path) -> None:
        sweep(tmp_path / "var")

    def test_a_temporary_folder_goes_with_its_job(self, tmp_path: Path) -> None:
        with temporary_folder(tmp_path) as folder:
            (Path(folder) / "file").write_text("x")
        assert not Path(folder).exists()


class TestALog:
    def test_is_cut_in_two_bounded_files(self, tmp_path: Path) -> None:
        path = tmp_path / "job.log"
        log = BoundedLog(path)
        for _ in range(5 * MAX_BYTES // 1000):
            log.write(b"x" * 999 + b"\n")
        log.close()
        sizes = {file.name: file.stat().st_size for file in tmp_path.iterdir()}
        assert set(sizes) == {"job.log", "job.log.1"}
        assert max(sizes.values()) <= MAX_BYTES

    def test_of_the_oldest_job_goes_when_there_are_too_many(self, tmp_path: Path) -> None:
        for number in range(KEPT_JOBS + 5):
            make_old(_touch(tmp_path / f"job{number}.log"), days=1000 - number)
        BoundedLog(tmp_path / "new.log").close()
        left = {path.name for path in tmp_path.iterdir()}
        assert len(left) == KEPT_JOBS + 1
        assert "job0.log" not in left

    def test_tells_where_a_child_failed_and_nothing_it_held(self, tmp_path: Path) -> None:
        log = BoundedLog(tmp_path / "job.log")
        log.write(b"Fatal Python error: Segmentation fault\n")
        log.write(b'  File "/a/b/llkd/x.py", line 12 in learn\n')
        log.write(b'  File "/a/b/llkd/y.py", line 7, in step\n')
        log.write(b"ValueError: the customer said: my card number is 1234\n")
        log.close()
        assert log.places() == (
            "Fatal Python error: Segmentation fault > llkd/x.py:12 learn > llkd/y.py:7 step"
        )


def _touch(path: Path) -> Path:
    path.touch()
    return path

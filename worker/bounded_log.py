"""What a child wrote to standard error: kept on disk within bounds, with the places it failed."""

import re
from collections import deque
from pathlib import Path

MAX_BYTES = 1024 * 1024
KEPT_JOBS = 200
# Frames of a traceback and faulthandler's first line. An exception's message is left
# out on purpose: it may quote a text or a secret.
PLACE = re.compile(rb'\s*File "([^"]+)", line (\d+)(?:,)? in (\S+)')
FATAL = re.compile(rb"Fatal Python error: [\w :-]{1,80}|Segmentation fault|Killed")


class BoundedLog:
    """Two files of at most `MAX_BYTES`: the one being written and the one before it."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        _drop_oldest(path.parent)
        self._path = path
        self._file = path.open("ab")
        self._size = path.stat().st_size
        self._places: deque[str] = deque(maxlen=4)

    def write(self, line: bytes) -> None:
        if match := PLACE.match(line):
            file, number, function = (part.decode(errors="replace") for part in match.groups())
            self._places.append(f"{'/'.join(Path(file).parts[-2:])}:{number} {function}")
        elif match := FATAL.search(line):
            self._places.append(match.group().decode())
        if self._size + len(line) > MAX_BYTES:
            self._turn_over()
        try:
            self._file.write(line)
            self._file.flush()
        except OSError:
            # A full disk must not stop the reading: the child would block on its pipe.
            return
        self._size += len(line)

    def places(self) -> str:
        """Where the child failed, the innermost last; empty when it did not say."""
        return " > ".join(self._places)

    def close(self) -> None:
        self._file.close()

    def _turn_over(self) -> None:
        self._file.close()
        self._path.replace(self._path.with_suffix(".log.1"))
        self._file = self._path.open("ab")
        self._size = 0


def _drop_oldest(folder: Path) -> None:
    logs = [(path.stat().st_mtime, path) for path in folder.glob("*.log")]
    for _, path in sorted(logs)[:-KEPT_JOBS]:
        path.unlink(missing_ok=True)
        path.with_suffix(".log.1").unlink(missing_ok=True)

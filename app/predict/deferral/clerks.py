"""What waits for the database, beside the event loop."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

# Apart from the threads that serve other requests: a row that another process has locked, or a
# database that does not answer, keeps only deferral waiting.
CLERKS = 4


class Clerks:
    """A few threads of deferral's own."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(CLERKS, thread_name_prefix="deferral")

    async def run(self, act: Callable[[], Result]) -> Result:
        """Its result; when cancelled, it is done all the same."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, act)

    def close(self) -> None:
        """Begin nothing new; what has not begun is dropped."""
        self._threads.shutdown(wait=False, cancel_futures=True)

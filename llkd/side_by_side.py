"""Several batches at once, each on one core."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Batch], Result], batches: Iterable[Batch], *, device: torch.device
) -> Iterator[Result]:
    """Do the work of each batch; results come in the batches' order.

    A small encoder's matrices are too small to be shared out well: cores do more with a
    batch each than with one batch between them. It also makes a result independent of how
    many threads there are, to the last bit.

    Torch's modes, `inference_mode` and `autocast` among them, belong to a thread: `work`
    has to enter them itself. On a GPU the batches are done one after another.
    """
    threads = torch.get_num_threads()
    if device.type != "cpu" or threads == 1:
        yield from map(work, batches)
        return
    # The count is each thread's own: the caller's stays what it was.
    with ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield from pool.map(work, batches)

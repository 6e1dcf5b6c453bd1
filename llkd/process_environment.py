"""What the environment of a process that trains should say before it starts.

Libraries read these once, as they are loaded: set later, they do nothing.
"""

from typing import Final

# Bytes that a process keeps of what it has freed. A student's largest tensor, the gradient
# of its embeddings, has some fifty megabytes and is made anew on every step.
_KEPT = str(256 * 1024 * 1024)

TRAINING_ENVIRONMENT: Final = {
    # Without it cuBLAS may choose another order of additions on every run.
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
    "TOKENIZERS_PARALLELISM": "false",
    # Threads that wait by spinning take the cores from the API beside them, and from each
    # other.
    "OMP_WAIT_POLICY": "PASSIVE",
    # glibc else returns every large tensor to the kernel, which then clears the pages of the
    # next one: a fifth of a step's time.
    "MALLOC_MMAP_THRESHOLD_": _KEPT,
    "MALLOC_TRIM_THRESHOLD_": _KEPT,
}

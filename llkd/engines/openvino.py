"""OpenVINO on the processor: in bfloat16, or with weights and activations in int8."""

import os
from concurrent.futures import ThreadPoolExecutor
from itertools import count, takewhile
from pathlib import Path
from queue import SimpleQueue
from typing import Any, Self

import numpy as np

from llkd.engines.base import EngineName
from llkd.silent_openvino import openvino
from llkd.types import FloatArray, IntArray

# Each width is compiled anew, within milliseconds: a few dozen widths are soon all there.
WIDTH_STEP = 8
# Quantized activations with the bfloat16 hint had outliers of 0.7 in a probability.
PRECISION = {EngineName.OPENVINO_BF16: "bf16", EngineName.OPENVINO_INT8: "f32"}
# Rows of the batches that are computed before the first request comes.
WARMED_ROWS = (1, 8)
# And how wide they are at the most. Eight rows of it are as many tokens as any batch of several
# texts has; eight rows of thousands of tokens would take gigabytes on each stream.
WARMED_WIDTH = 512


class OpenVinoEngine:
    """One compiled model with as many streams of one thread as there are cores.

    The streams share the weights. A call computes on a stream's thread, and one that finds
    none free waits.
    """

    def __init__(self, compiled: Any, *, name: EngineName, streams: int, longest: int) -> None:
        self.name = name
        self._streams = streams
        self._longest = longest
        self._free: SimpleQueue[Any] = SimpleQueue()
        for _ in range(streams):
            self._free.put(compiled.create_infer_request())

    @classmethod
    def load(
        cls,
        model: Path,
        *,
        name: EngineName,
        longest: int,
        weights: Path | None = None,
        streams: int | None = None,
    ) -> Self:
        """Load and warm a graph.

        Args:
            model: an ONNX file, or OpenVINO's own .xml.
            weights: the .bin that belongs to an .xml, wherever it lies.
            name: `openvino_bf16` or `openvino_int8`; the latter's graph is quantized already.
            longest: tokens that the model reads; no batch is made wider.
            streams: calls that can be computed at once; None for one a core.
        """
        streams = streams or len(os.sched_getaffinity(0))
        core = openvino.Core()
        graph = core.read_model(*map(str, [model] if weights is None else [model, weights]))
        compiled = core.compile_model(
            graph,
            "CPU",
            {
                "INFERENCE_PRECISION_HINT": PRECISION[name],
                "INFERENCE_NUM_THREADS": streams,
                "NUM_STREAMS": streams,
                # Two models that are pinned may be pinned to the same core.
                "ENABLE_CPU_PINNING": False,
            },
        )
        engine = cls(compiled, name=name, streams=streams, longest=longest)
        engine.warm()
        return engine

    def shape_for(self, rows: int, tokens: int) -> tuple[int, int]:
        """Widths go in steps; rows stay, for a row more costs more than a shape more."""
        return rows, min(-(-tokens // WIDTH_STEP) * WIDTH_STEP, self._longest)

    def logits(self, ids: IntArray, mask: IntArray) -> FloatArray:
        request = self._free.get()
        try:
            request.infer({"input_ids": ids, "attention_mask": mask})
            # The tensor belongs to the request, which the next call overwrites.
            return np.array(request.get_output_tensor(0).data, dtype=np.float64)
        finally:
            self._free.put(request)

    def warm(self) -> None:
        """Compute batches of doubling width on all streams; longer texts' first ones take longer.

        A stream's first batch takes some 20 ms longer than the next, every new shape after
        that about 4 ms: all shapes up to 128 tokens would take a second and a half.
        """
        widest = min(self._longest, WARMED_WIDTH)
        doubling = takewhile(lambda width: width < widest, map(WIDTH_STEP.__lshift__, count()))
        widths = [*doubling, widest]
        with ThreadPoolExecutor(self._streams) as threads:
            for rows, width in [(rows, width) for rows in WARMED_ROWS for width in widths]:
                ones = np.ones((rows, width), dtype=np.int64)
                batches = [ones] * self._streams
                list(threads.map(self.logits, batches, batches))

"""Classify texts with an exported student: an engine and tokenizers, never torch."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Self

import numpy as np

from llkd.calibration import softmax
from llkd.engines.base import REFERENCE, Engine, EngineName
from llkd.engines.catalog import load_engine
from llkd.long_texts import LongTexts
from llkd.predictor_manifest import MANIFEST, MODEL, TOKENIZER, Manifest, read_manifest
from llkd.predictor_tokens import TokenReader, Tokens
from llkd.types import Classified, FloatArray

# Measured on MiniLM: 8 texts of one length beat both 1 and 32 of mixed length, because
# padding costs more than batching saves.
MOST_ROWS = 8
# Beyond this many tokens a batch's attention scores outgrow the processor's caches, and
# at 8192 tokens a text they would outgrow its memory.
MOST_TOKENS = 4096
# A batch's longest text is at most this much longer than its shortest, give or take one
# step, so that short texts still find neighbours.
LENGTH_RATIO = 1.25
LENGTH_STEP = 4


class Predictor:
    """An exported model in memory. Safe to call from several threads at once."""

    def __init__(
        self,
        engine: Engine,
        reader: TokenReader,
        manifest: Manifest,
        *,
        size_bytes: int,
    ) -> None:
        self._engine = engine
        self._reader = reader
        self._manifest = manifest
        self._size_bytes = size_bytes

    @classmethod
    def load(cls, files: Mapping[str, Path], engine: EngineName = REFERENCE) -> Self:
        """Load a model from its files, which may lie anywhere under any names.

        Args:
            files: `model.onnx`, `tokenizer.json` and `llkd.json` to where each is; others
                are not read, but for those that the engine needs.
            engine: what computes.

        Raises:
            EngineUnavailable: this machine cannot run the engine, or a file for it is missing.
            ValueError: a file is missing, or llkd.json is not one that this version reads.
        """
        missing = {MODEL, TOKENIZER, MANIFEST} - set(files)
        if missing:
            raise ValueError(f"a model needs {', '.join(sorted(missing))}")
        manifest = read_manifest(files[MANIFEST])
        loaded = load_engine(engine, files, longest=manifest.max_length)
        reader = TokenReader.from_file(
            files[TOKENIZER], max_length=manifest.max_length, pad_id=manifest.pad_id
        )
        size_bytes = sum(files[name].stat().st_size for name in (MODEL, TOKENIZER, MANIFEST))
        return cls(loaded, reader, manifest, size_bytes=size_bytes)

    @classmethod
    def load_surely(
        cls,
        files: Mapping[str, Path],
        engine: EngineName,
        *,
        failed: Callable[[Exception], None],
    ) -> Self:
        """Load a model into this engine, or into the reference if that one fails.

        A library that fails here has passed the gate on another day; the reference runs anywhere.

        Args:
            failed: told why the engine is not used.

        Raises:
            ValueError: as `load`; so does whatever the reference cannot load either.
        """
        try:
            return cls.load(files, engine)
        except Exception as error:
            if engine is REFERENCE:
                raise
            failed(error)
            return cls.load(files)

    @property
    def labels(self) -> tuple[str, ...]:
        """The K class names, in the order of the probabilities."""
        return self._manifest.labels

    @property
    def engine(self) -> EngineName:
        """What computes."""
        return self._engine.name

    @property
    def size_bytes(self) -> int:
        """Size of the files that every engine needs."""
        return self._size_bytes

    def classify(self, texts: Sequence[str], *, long_texts: LongTexts = "head") -> Classified:
        """Classify N texts, in order; the empty string has an answer too.

        Texts are batched with those of about their length, so a text's probabilities are
        its own: neighbours move them by less than 1e-5, and by at most 0.01 in engines that
        are served after the gate.

        Args:
            long_texts: what is read of a text that is longer than the model's window.
        """
        read = [self.read_windows(text, long_texts=long_texts) for text in texts]
        windows = [tokens for of_text in read for tokens in of_text]
        probabilities = np.zeros((len(windows), len(self.labels)))
        for places in batches_by_length([len(tokens) for tokens in windows]):
            probabilities[places] = self.answer([windows[place] for place in places])
        return Classified(
            probabilities=mean_of_windows(probabilities, [len(of_text) for of_text in read]),
            truncated=np.array([of_text[0].truncated for of_text in read], dtype=np.bool_),
            tokens=sum(map(len, windows)),
        )

    def read(self, text: str) -> Tokens:
        """Tokenize one text: cheap beside `answer`, and what tells its cost beforehand."""
        return self._reader.read(text)

    def read_windows(self, text: str, *, long_texts: LongTexts) -> tuple[Tokens, ...]:
        """Tokenize one text into its windows, one at least; each says if the text was cut."""
        return self._reader.read_windows(text, long_texts=long_texts)

    def answer(self, batch: Sequence[Tokens]) -> FloatArray:
        """Probabilities [B, K] of one batch, which is best of similar lengths and small."""
        rows, width = self._engine.shape_for(len(batch), max(map(len, batch)))
        ids, mask = self._reader.pad(batch, rows=rows, width=width)
        logits = self._engine.logits(ids, mask)[: len(batch)]
        temperature = self._manifest.temperature
        return softmax(logits, temperature=1.0 if temperature is None else temperature)


def mean_of_windows(probabilities: FloatArray, windows: Sequence[int]) -> FloatArray:
    """Average [W, K] over the windows of each of N texts, with equal weights, to [N, K].

    Args:
        windows: N counts of at least 1, which sum to W.
    """
    if len(windows) == len(probabilities):
        return probabilities
    counts = np.asarray(windows, dtype=np.int64)
    sums = np.add.reduceat(probabilities, np.cumsum(counts) - counts, axis=0)
    mean: FloatArray = sums / counts[:, None]
    return mean


def batches_by_length(lengths: Sequence[int]) -> Iterator[list[int]]:
    """Group N places into batches of similar length, shortest first, each place once."""
    batch: list[int] = []
    for place in np.argsort(np.asarray(lengths, dtype=np.int64), kind="stable").tolist():
        longest = lengths[place]
        if batch and (
            len(batch) == MOST_ROWS
            or (len(batch) + 1) * longest > MOST_TOKENS
            or longest > LENGTH_RATIO * lengths[batch[0]] + LENGTH_STEP
        ):
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch

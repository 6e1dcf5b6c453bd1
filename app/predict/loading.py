"""From a model's files to a predictor, by the reference engine where the chosen one fails."""

from collections.abc import Mapping
from pathlib import Path

import structlog

from llkd.engine_choice import EngineChoice
from llkd.predictor import Predictor

log = structlog.get_logger(__name__)


def load_predictor(files: Mapping[str, Path], choice: EngineChoice) -> Predictor:
    """Load the model; the log says what computes it and why.

    Raises:
        Exception: whatever the reference engine cannot load either.
    """

    def failed(error: Exception) -> None:
        log.warning("engine_failed", engine=choice.engine, exc_info=error)

    predictor = Predictor.load_surely(files, choice.engine, failed=failed)
    log.info("engine_loaded", engine=predictor.engine, chosen=choice.engine, reason=choice.reason)
    return predictor

"""The model of the serving benchmarks: made by a job of the service, or brought along."""

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console

from benchmarks.gold_folder import Gold
from benchmarks.registering import shelf
from benchmarks.serving_texts import ServingTexts
from demo.service import running_service
from demo.watching import connect, follow
from llkd_client import Dataset

Json = dict[str, Any]
NAME = "serving"
# A head whose probabilities mean something; not the best one there is.
EPOCHS = 2
# Of the texts to train on: kept from training, to choose the engine on.
VALIDATED_ON = 300


def ensure_model(
    data_dir: Path, texts: ServingTexts, *, brought: Path | None, console: Console
) -> str:
    """Id of a model in this data folder: the one it has, else a new one.

    Args:
        brought: folder of an exported model that is put there; None trains one.

    Raises:
        ServiceFailed, LlkdError: the service could not make it.
    """
    with shelf(data_dir) as stored:
        known = stored.find(NAME)
        if known is not None:
            return known
        if brought is not None:
            return stored.add(brought, name=NAME)
    return _trained(data_dir, texts, console)


def _trained(data_dir: Path, texts: ServingTexts, console: Console) -> str:
    with (
        tempfile.TemporaryDirectory(prefix="llkd-texts-") as scratch,
        running_service(data_dir) as service,
        connect(service.url) as client,
    ):
        train, validation = Path(scratch) / "train.jsonl", Path(scratch) / "validation.jsonl"
        _write(texts.train[VALIDATED_ON:], train)
        _write(texts.train[:VALIDATED_ON], validation)
        dataset = client.datasets.add(train, name=NAME, teacher_label_column="label")
        gold = client.datasets.add(validation, name=NAME, label_column="label")
        job = client.jobs.create(**_spec(dataset, gold, texts))
        done = follow(
            client, job.id, title="the served model", console=console, alive=service.check
        )
        assert done.model_id is not None
        return done.model_id


def _write(texts: Sequence[Gold], file: Path) -> None:
    with file.open("w", encoding="utf-8") as lines:
        for gold in texts:
            line = {"text": gold.text, "label": gold.label}
            lines.write(json.dumps(line, ensure_ascii=False) + "\n")


def _spec(dataset: Dataset, validation: Dataset, texts: ServingTexts) -> Json:
    return {
        "name": NAME,
        "dataset_id": dataset.id,
        "labels": [{"name": label} for label in texts.labels],
        "teacher": {"kind": "provided"},
        "evaluation": {"dataset_id": validation.id},
        "selection": {"kind": "all"},
        "training": {"epochs": EPOCHS, "early_stopping": False},
    }

"""A small corpus as the API would have stored it, and a spec of a job that takes seconds."""

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from core.artifacts import ArtifactStore
from core.dataset_files import ROWS_SCHEMA
from core.db.session import Database
from core.ids import DatasetId, JobId
from llkd.specs import DistillationSpec
from tests.factories import make_dataset, make_job
from tests.llkd.tiny_bert import CLASS_WORDS, NOISE, write_tiny_bert

LABELS = ("billing", "failure", "account")
Json = dict[str, Any]


def make_rows(count: int = 240, *, gold: int = 40, seed: int = 0, first: int = 0) -> list[Json]:
    """Different texts of noise with one telling word; a provided answer that is right nine
    times in ten, and gold on the first ones."""
    generator = np.random.default_rng([seed, first])
    rows = []
    for place in range(count):
        label = int(generator.integers(len(LABELS)))
        words = list(generator.choice(NOISE, int(generator.integers(2, 8))))
        telling = str(generator.choice(CLASS_WORDS[label]))
        answer = label if generator.random() < 0.9 else int(generator.integers(len(LABELS)))
        rows.append(
            {
                "text": " ".join([telling, *words, f"n{first + place}"]),
                "copies": 1,
                "line": place + 1,
                "gold": LABELS[label] if place < gold else None,
                "teacher_label": LABELS[answer],
                "teacher_confidence": float(generator.uniform(0.5, 1.0)),
                "teacher_probabilities": None,
            }
        )
    return rows


def add_dataset(database: Database, data_dir: Path, rows: list[Json]) -> DatasetId:
    """Store the rows as an uploaded dataset."""
    artifacts = ArtifactStore(data_dir / "artifacts")
    path = artifacts.scratch_path()
    pq.write_table(pa.Table.from_pylist(rows, ROWS_SCHEMA), path, row_group_size=100)
    artifact = artifacts.put(path)
    with database.write() as session:
        return make_dataset(session, rows_artifact=artifact).id


def add_models(data_dir: Path) -> Path:
    """A models folder with `local/tiny`."""
    write_tiny_bert(data_dir / "models" / "tiny")
    return data_dir / "models"


def make_spec(**changes: Any) -> Json:
    """A whole spec as a job's row holds it."""
    spec = {
        "labels": [
            {"name": name, "examples": [" ".join(words), words[0]]}
            for name, words in zip(LABELS, CLASS_WORDS, strict=True)
        ],
        "teacher": {"kind": "provided"},
        # Estimating takes a real encoder; the tests that are about it ask for it.
        "confidence": "given",
        "student": {"model": "local/tiny", "max_length": 16},
        "training": {"epochs": 2, "batch_size": 16, "learning_rate": 1e-3, "device": "cpu"},
    }
    return DistillationSpec.model_validate(spec | changes).resolved().model_dump(mode="json")


def add_distillation(
    database: Database, dataset_id: DatasetId, *, spec: Json | None = None, **given: Any
) -> JobId:
    with database.write() as session:
        return make_job(
            session, dataset_id=dataset_id, spec=spec or make_spec(), name="tickets", **given
        ).id

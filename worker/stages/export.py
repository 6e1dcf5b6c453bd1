"""The last stage: the student is exported, checked in a fresh process, certified, registered."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from core.db.repositories.engine import EngineRepository
from core.db.repositories.models import ModelRepository, NewModel
from core.db.tables import ModelRow
from core.lifecycle import Stage
from llkd.certifying import certify_engine
from llkd.engines.base import REFERENCE, EngineName
from llkd.evaluation import EvaluationReport
from llkd.export import export_student
from llkd.export_reference import saved_student
from llkd.held_out import find_held_out, trained_places
from llkd.model_card import ModelCard
from llkd.types import Pool
from worker.candidates import chosen_of
from worker.certifying import find_texts, tell_cascades, tell_certified
from worker.durability import durably
from worker.engines import ValidationTexts, chosen_on, with_engines
from worker.job import Job
from worker.pool import load_measuring, load_pool
from worker.protocol import Json
from worker.trained import unpacked

# The parity gate picks its probes by length among this many; it needs no more choice.
PROBED_TEXTS = 4096


def export(job: Job, outputs: Mapping[Stage, Json]) -> Json:
    """Write the served form, measure what computes it the fastest, and give it a version.

    Raises:
        ExportMismatch: the written model does not answer as the trained one.
    """
    certification = find_texts(job, outputs)
    certifying = 0 if certification.texts is None else len(certification.texts.texts)
    job.progress.expect(certifying + 3)
    pool = load_pool(job, outputs)
    trained_tree = outputs[Stage.TRAIN]["student"]
    with (
        unpacked(job.artifacts, trained_tree) as trained,
        tempfile.TemporaryDirectory() as name,
    ):
        exported = export_student(
            trained,
            Path(name) / "model",
            card=_card(job, outputs),
            texts=pool.texts[:PROBED_TEXTS],
            # A student on a GPU answers in bfloat16; what it learnt is compared exactly.
            reference=saved_student(trained),
            certification=certification.texts,
            told=job.progress.advance,
        )
        job.progress.advance(certifying + 1)
        folder = Path(name) / "model"
        engines = with_engines(
            folder,
            _validation(job, outputs, pool),
            pool.take(trained_places(pool, find_held_out(pool, seed=job.spec.training.seed))).texts,
            artifacts=job.artifacts,
        )
        chosen = EngineName(chosen_on(engines))
        if certification.texts is not None and chosen is not REFERENCE:
            certify_engine(folder, certification.texts, chosen)
        sizes = {path.name: path.stat().st_size for path in sorted(folder.iterdir())}
        artifact = job.artifacts.put_tree(folder)
    job.progress.advance(certifying + 2)
    certified = exported.certified
    details = {
        "parity": vars(exported.parity),
        "files": sizes,
        "certification": None if certified is None else tell_certified(certified),
        "engines": engines,
    }
    model = _register(job, outputs, details, artifact=artifact)
    job.faults.reach("export.registered")
    job.progress.advance(certifying + 3)
    return {
        "model_id": model.id,
        "version": model.version,
        "artifact": artifact,
        "cascade": None if certified is None else tell_cascades(certified),
        "no_cascade": certification.why_none,
    }


def _validation(job: Job, outputs: Mapping[Stage, Json], pool: Pool) -> ValidationTexts:
    """The held-out slice and the rows with gold that measure: none of them was trained on."""
    held = pool.take(find_held_out(pool, seed=job.spec.training.seed))
    measuring, gold = load_measuring(job, outputs)
    # Gold first: of a text that is in both, the first label counts.
    return ValidationTexts.draw([*measuring, *held.texts], np.concatenate([gold, held.labels]))


def _register(
    job: Job,
    outputs: Mapping[Stage, Json],
    details: Json,
    *,
    artifact: str,
) -> ModelRow:
    """One job registers one model, however often this is repeated."""
    student = chosen_of(outputs[Stage.TRAIN], job.spec).student
    new = NewModel(
        name=job.row.name,
        job_id=job.row.id,
        artifact=artifact,
        labels=list(job.spec.label_names),
        base_model=student.model,
        metrics=outputs[Stage.EVALUATE]["metrics"],
        export=details,
        size_bytes=sum(details["files"].values()),
        parent_model_id=job.row.parent_model_id,
    )

    def register(session: Session) -> ModelRow:
        EngineRepository(session).fence(job.assignment.claim, stage=Stage.EXPORT.value)
        return ModelRepository(session).register(job.tenant_id, new)

    return durably(job.database, register)


def _card(job: Job, outputs: Mapping[Stage, Json]) -> ModelCard:
    report, counters = outputs[Stage.EVALUATE]["report"], outputs[Stage.TRAIN]["counters"]
    chosen = chosen_of(outputs[Stage.TRAIN], job.spec)
    student = chosen.student
    corrected = (outputs[Stage.LABEL].get("corrections") or {}).get("rows", 0)
    read = TypeAdapter(EvaluationReport).validate_python
    measured = [name for name in ("teacher", "student") if report[name] is not None]
    return ModelCard(
        name=job.row.name,
        labels=job.spec.labels,
        instruction=job.spec.instruction,
        student=student.kind,
        base_model=student.model,
        base_revision=student.revision,
        max_length=student.max_length,
        teacher=f"{job.spec.teacher.kind} {getattr(job.spec.teacher, 'model', '')}".strip(),
        confidence_source=outputs[Stage.LABEL]["confidence_source"],
        selection=chosen.selection.model_dump(mode="json"),
        counts={
            "Texts answered by the teacher": outputs[Stage.LABEL]["counts"]["answered"],
            **({"Texts labelled by a person": corrected} if corrected else {}),
            "Texts in the training pool": outputs[Stage.TRAIN]["pool_size"],
            "Different texts trained on": counters["unique_samples"],
            "Gradient samples": counters["gradient_samples"],
            "Optimizer steps": counters["steps"],
        },
        scores={name.capitalize(): read(report[name]) for name in measured},
        seed=job.spec.training.seed,
        parent=job.row.parent_model_id,
    )

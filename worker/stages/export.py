"""The last stage: the student is exported, checked in a fresh process, certified, registered."""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter
from sqlalchemy.orm import Session

from core.db.repositories.engine import EngineRepository
from core.db.repositories.models import ModelRepository, NewModel
from core.db.tables import ModelRow
from core.lifecycle import Stage
from llkd.evaluation import EvaluationReport
from llkd.export import Exported, export_student
from llkd.export_reference import saved_student
from llkd.model_card import ModelCard
from worker.candidates import chosen_of
from worker.certifying import find_texts, tell_cascades, tell_certified
from worker.durability import durably
from worker.job import Job
from worker.pool import load_pool
from worker.protocol import Json
from worker.trained import unpacked

# The parity gate picks its probes by length among this many; it needs no more choice.
PROBED_TEXTS = 4096


def export(job: Job, outputs: Mapping[Stage, Json]) -> Json:
    """Write the served form and give it a version.

    Raises:
        ExportMismatch: the written model does not answer as the trained one.
    """
    certification = find_texts(job, outputs)
    certifying = 0 if certification.texts is None else len(certification.texts.texts)
    job.progress.expect(certifying + 2)
    texts = load_pool(job, outputs).texts[:PROBED_TEXTS]
    trained_tree = outputs[Stage.TRAIN]["student"]
    with (
        unpacked(job.artifacts, trained_tree) as trained,
        tempfile.TemporaryDirectory() as name,
    ):
        exported = export_student(
            trained,
            Path(name) / "model",
            card=_card(job, outputs),
            texts=texts,
            # A student on a GPU answers in bfloat16; what it learnt is compared exactly.
            reference=saved_student(trained),
            certification=certification.texts,
            told=job.progress.advance,
        )
        sizes = {file: path.stat().st_size for file, path in exported.files.items()}
        artifact = job.artifacts.put_tree(Path(name) / "model")
    job.progress.advance(certifying + 1)
    model = _register(job, outputs, exported, artifact=artifact, sizes=sizes)
    job.faults.reach("export.registered")
    job.progress.advance(certifying + 2)
    return {
        "model_id": model.id,
        "version": model.version,
        "artifact": artifact,
        "cascade": None if exported.certified is None else tell_cascades(exported.certified),
        "no_cascade": certification.why_none,
    }


def _register(
    job: Job,
    outputs: Mapping[Stage, Json],
    exported: Exported,
    *,
    artifact: str,
    sizes: Mapping[str, int],
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
        export={
            "parity": vars(exported.parity),
            "files": dict(sizes),
            "certification": None
            if exported.certified is None
            else tell_certified(exported.certified),
        },
        size_bytes=sum(sizes.values()),
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
            "Texts in the training pool": outputs[Stage.TRAIN]["pool_size"],
            "Different texts trained on": counters["unique_samples"],
            "Gradient samples": counters["gradient_samples"],
            "Optimizer steps": counters["steps"],
        },
        scores={name.capitalize(): read(report[name]) for name in measured},
        seed=job.spec.training.seed,
        parent=job.row.parent_model_id,
    )

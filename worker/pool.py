"""What the label stage left, as the arrays that training and evaluation read."""

from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from core.artifacts import ArtifactStore
from core.dataset_files import ROW_GROUP, iter_batches
from core.label_files import UNASKED, Role, is_persons, iter_labels
from core.lifecycle import Stage
from llkd.certification import MOST_TEXTS, CertificationTexts
from llkd.errors import InsufficientLabelDiversity
from llkd.evaluation import NO_ANSWER
from llkd.specs import label_key
from llkd.types import AnswerStatus, BoolArray, FloatArray, IntArray, Pool
from worker.confidence import confidence_of
from worker.enough import MIN_CLASSES, MIN_PER_CLASS
from worker.job import Job
from worker.protocol import Json
from worker.roles import digest


@dataclass(frozen=True)
class GoldRows:
    """Rows that measure: M texts with their gold labels and the teacher's answers.

    Attributes:
        rows: [M], the place of each in the dataset that it is of.
        gold: [M], in 0..K-1.
        teacher: [M], the teacher's labels; -1 where it gave none.
        teacher_confidence: [M]; NaN where unknown.
        asked: [M], False where the budget did not reach, or a pilot asks nothing.
    """

    texts: Sequence[str]
    rows: IntArray
    gold: IntArray
    teacher: IntArray
    teacher_confidence: FloatArray
    asked: BoolArray

    def __len__(self) -> int:
        return len(self.texts)


@dataclass(frozen=True)
class Answers:
    """The texts to train on, in the dataset's order.

    Attributes:
        pool: N texts with their pseudo-labels and the teacher's own confidences.
        rows: [N], the place of each in the dataset.
    """

    pool: Pool
    rows: IntArray


def load_answers(job: Job, outputs: Mapping[Stage, Json]) -> Answers:
    """What the teacher answered of the texts to train on, or a person in its place."""
    texts, labels, confidence, gold, rows, corrected = [], [], [], [], [], []
    index = index_of(job)
    pairs = pairs_of(job.artifacts, job.dataset.rows_artifact, outputs[Stage.LABEL]["labels"])
    for place, (row, entry) in enumerate(pairs):
        if is_learned(entry):
            texts.append(row["text"])
            labels.append(index[label_key(entry["label"])])
            confidence.append(_number(entry["confidence"]))
            gold.append(gold_of(row, index))
            rows.append(place)
            corrected.append(is_persons(entry))
    pool = Pool(
        texts,
        np.array(labels, dtype=np.int64),
        np.array(confidence, dtype=np.float64),
        len(index),
        np.array(gold, dtype=np.int64),
        np.array(corrected, dtype=np.bool_) if any(corrected) else None,
    )
    return Answers(pool, np.array(rows, dtype=np.int64))


def load_rated_answers(job: Job, outputs: Mapping[Stage, Json]) -> Answers:
    """The same with the confidences that the label stage's passport says to read.

    That of a person's label is 1, whatever the passport says of the teacher's.
    """
    answers = load_answers(job, outputs)
    pool = answers.pool
    read = confidence_of(job.artifacts, pool.confidence, outputs[Stage.LABEL])
    confidence = np.where(pool.is_teachers, read, 1.0)
    return replace(answers, pool=replace(pool, confidence=confidence))


def load_pool(job: Job, outputs: Mapping[Stage, Json]) -> Pool:
    """The texts to train on with these confidences, wherever they stand."""
    return load_rated_answers(job, outputs).pool


def check_diversity(pool: Pool, names: Sequence[str]) -> None:
    """Refuse a pool that no classifier can be learned from.

    Raises:
        InsufficientLabelDiversity: with how often each label was given.
    """
    counts = np.bincount(pool.labels, minlength=pool.class_count)
    if (counts >= MIN_PER_CLASS).sum() < MIN_CLASSES:
        histogram = ", ".join(
            f"{name}: {count}" for name, count in zip(names, counts.tolist(), strict=True) if count
        )
        raise InsufficientLabelDiversity(
            f"Training needs at least {MIN_CLASSES} labels with {MIN_PER_CLASS} texts each; "
            f"the teacher gave {histogram or 'none'}."
        )


def load_gold(job: Job, outputs: Mapping[Stage, Json]) -> GoldRows:
    """The rows that measure: of the evaluation dataset, or of the dataset itself."""
    output = outputs[Stage.LABEL]
    if job.evaluation_dataset is None:
        files = job.dataset.rows_artifact, output["labels"]
    else:
        files = job.evaluation_dataset.rows_artifact, output["evaluation_labels"]
    texts, places, gold, teacher, confidence, asked = [], [], [], [], [], []
    index = index_of(job)
    for place, (row, entry) in enumerate(pairs_of(job.artifacts, *files)):
        if entry["role"] == Role.EVALUATION and label_key(row["gold"]) in index:
            answered = entry["label"] is not None
            texts.append(row["text"])
            places.append(place)
            gold.append(index[label_key(row["gold"])])
            teacher.append(index[label_key(entry["label"])] if answered else NO_ANSWER)
            confidence.append(_number(entry["confidence"]))
            asked.append(entry["status"] != UNASKED)
    return GoldRows(
        texts,
        np.array(places, dtype=np.int64),
        np.array(gold, dtype=np.int64),
        np.array(teacher, dtype=np.int64),
        np.array(confidence, dtype=np.float64),
        np.array(asked, dtype=np.bool_),
    )


def load_certification(
    job: Job, outputs: Mapping[Stage, Json], *, learned: Set[bytes]
) -> CertificationTexts | None:
    """The texts that certify, with the teacher's answers, as far as it gave any.

    Those that were drawn for it, if the job asked for some; else those with gold that measure.
    None without either.

    Args:
        learned: digests of texts that the student learned from before this job; they are left
            out, whatever their role is here.
    """
    if job.spec.certification is None:
        gold = load_gold(job, outputs)
        answered = np.flatnonzero(gold.teacher != NO_ANSWER)
        if not len(answered):
            return None
        is_new = [digest(gold.texts[place]) not in learned for place in answered.tolist()]
        # By lot, for a file may be sorted.
        places = np.random.default_rng(0).permutation(answered[is_new])[:MOST_TEXTS]
        texts = [gold.texts[place] for place in places.tolist()]
        return CertificationTexts(texts, gold.teacher[places], "evaluation")
    index = index_of(job)
    pairs = pairs_of(job.artifacts, job.dataset.rows_artifact, outputs[Stage.LABEL]["labels"])
    drawn = [
        (row["text"], index[label_key(entry["label"])])
        for row, entry in pairs
        if entry["role"] == Role.CERTIFICATION
        and entry["label"] is not None
        and digest(row["text"]) not in learned
    ]
    return CertificationTexts(
        [text for text, _ in drawn],
        np.array([label for _, label in drawn], dtype=np.int64),
        "certification",
    )


def load_measuring(job: Job, outputs: Mapping[Stage, Json]) -> tuple[Sequence[str], IntArray]:
    """Texts and gold, [M] in 0..K-1, of the rows that measure, whatever a teacher says of them."""
    index = index_of(job)
    if job.evaluation_dataset is not None:
        path = job.artifacts.path(job.evaluation_dataset.rows_artifact)
        batches = iter_batches(path, columns=["text", "gold"], size=ROW_GROUP)
        rows = [row for batch in batches for row in batch]
    else:
        files = job.dataset.rows_artifact, outputs[Stage.LABEL]["labels"]
        pairs = pairs_of(job.artifacts, *files)
        rows = [row for row, entry in pairs if entry["role"] == Role.EVALUATION]
    known = [(row["text"], gold) for row in rows if (gold := gold_of(row, index)) >= 0]
    return [text for text, _ in known], np.array([gold for _, gold in known], dtype=np.int64)


def pairs_of(
    artifacts: ArtifactStore, rows: str, labels: str
) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Each row of a dataset with its entry of the label file."""
    batches = zip(
        iter_batches(artifacts.path(rows), columns=["text", "gold"], size=ROW_GROUP),
        iter_labels(artifacts.path(labels)),
        strict=True,
    )
    for texts, entries in batches:
        yield from zip(texts, entries, strict=True)


def is_learned(entry: Mapping[str, Any]) -> bool:
    """Whether the student of the job that has this entry is trained on its text."""
    return bool(entry["role"] == Role.TRAIN and entry["status"] == AnswerStatus.ANSWERED)


def gold_of(row: Mapping[str, Any], index: Mapping[str, int]) -> int:
    """In 0..K-1; -1 where the row has none, or one that is not of the job's labels."""
    return -1 if row["gold"] is None else index.get(label_key(row["gold"]), -1)


def index_of(job: Job) -> dict[str, int]:
    """The place of each label among the job's, by the form of its name that counts."""
    return {label_key(name): place for place, name in enumerate(job.spec.label_names)}


def _number(value: float | None) -> float:
    return float("nan") if value is None else value

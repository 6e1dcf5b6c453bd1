"""The first stage: every text gets its pseudo-label, and all of them become one file."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from functools import partial
from pathlib import Path

from core.dataset_files import ROW_GROUP, count_rows, iter_batches
from core.label_files import UNASKED, LabelEntry, Role, write_labels
from core.lifecycle import EventType, Purpose, Stage, why_cut_short
from llkd.types import FloatArray, Question
from worker import sharing
from worker.ancestry import learned_before
from worker.asking.account import JobAccount
from worker.asking.desk import Asked
from worker.asking.opening import open_desk
from worker.asking.purse import Purse
from worker.buying import Bought, buy_answers, buy_by_lot
from worker.calibrating import calibrate_labels
from worker.confidence import make_passport
from worker.content_free import ask_content_free
from worker.enough import check_enough
from worker.filling import fill_store, question_of, read_questions
from worker.job import Job
from worker.pool import load_pool
from worker.prior import correct_labels
from worker.protocol import Json
from worker.replayed_answers import replayed_answers
from worker.roles import COLUMNS, Roles, Row

LAZY = "lazy"
# Texts that a pilot asks about.
PILOT_TEXTS = 300


def label(job: Job, _: Mapping[Stage, Json]) -> Json:
    """Ask about the rows to train on, then about those that measure; correct the answers for
    how often each label occurs, and look at the confidences. Where the budget or the job
    chooses among the rows to train on, those that certify are asked about first.

    Raises:
        TeacherUnusable: it fails on too many texts.
        TooFewLabels: the budget or the time did not reach for as many as training needs.
        Park: a server cannot be asked for a while.
    """
    if job.row.from_job_id is not None:
        output = replayed_answers(job, job.row.from_job_id)
    else:
        with job.labelling_time.wakes_parked(), closing(Labelling(job)) as labelling:
            output = labelling.run()
    pool = load_pool(job, {Stage.LABEL: output})
    check_enough(pool, why_cut_short(output))
    return output | make_passport(job, pool)


class Labelling:
    """One run through the dataset, and through the evaluation dataset if there is one."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._names = job.spec.label_names
        account = JobAccount(job.assignment.claim)
        self._desk = open_desk(job, Purse(job.database, tenant_id=job.tenant_id, account=account))
        self._rows = job.artifacts.path(job.dataset.rows_artifact)
        self._evaluation_rows = (
            None
            if job.evaluation_dataset is None
            else job.artifacts.path(job.evaluation_dataset.rows_artifact)
        )
        self._done = 0
        # Rows whose answers are stored before the label file is begun.
        self._filled = 0
        self._is_pilot = job.purpose is Purpose.PILOT
        self._is_lazy = getattr(job.spec.selection, "labeling", None) == LAZY
        # By row, where texts were chosen; None where every text is asked about.
        self._bought: Bought | None = None

    def run(self) -> Json:
        job = self._job
        pool_rows = count_rows(self._rows)
        other = self._evaluation_rows
        cap = job.row.cap_calls
        # Asked for by name, it comes before the texts: a cap that they reach would leave none.
        if job.spec.calibration == "contextual":
            self._ask_content_free()
            # They are found, and counted, when it is time to read them.
            self._desk.recount()
        # How far money reaches is known only once it is spent.
        is_short = job.row.cap_micros is not None or (cap is not None and cap < pool_rows)
        chooses = self._is_pilot or self._is_lazy or is_short
        passes = 2 if chooses else 1
        job.progress.expect(passes * pool_rows + (0 if other is None else count_rows(other)))
        roles = self._roles()
        if chooses:
            self._bought = self._buy(roles)
            self._done = pool_rows
        elif pool_rows > sharing.SHARD_ROWS and sharing.is_shareable(job.spec.teacher):
            self._fill_with_others(roles, pool_rows)
        labels = self._file(self._rows, roles)
        # A pilot measures with gold alone: what the teacher says of those rows tells it nothing.
        asked = None if self._is_pilot else other
        evaluation_labels = None if asked is None else self._file(asked, None)
        self._desk.tally.check_all()
        self._tell_if_cut_short()
        cut_short = self._desk.turned_down
        counts = self._desk.tally.counts()
        job.book.tell_answers(counts)
        output = {
            "labels": labels,
            "evaluation_labels": evaluation_labels,
            "rows": pool_rows,
            "counts": counts,
            "confidence_source": self._desk.tally.confidence_source.value,
            "cut_short": None if cut_short is None else cut_short.value,
            "buying": None if self._bought is None else self._bought.told,
        }
        by_lot = None if self._bought is None else self._bought.by_lot
        calibrated = calibrate_labels(
            job, output, by_lot=by_lot, ask_content_free=self._ask_content_free
        )
        return correct_labels(job, calibrated, by_lot=by_lot)

    def _roles(self) -> Roles:
        other, asked = self._evaluation_rows, self._job.spec.certification
        roles = Roles.within(self._rows) if other is None else Roles.beside(other)
        if asked is None:
            return roles
        learned = learned_before(self._job)
        if learned is None:
            # They could certify nothing, so they are of more use to learn from.
            return roles
        return roles.with_certification(self._rows, count=asked.rows, learned=learned)

    def _ask_content_free(self) -> FloatArray | None:
        """A pilot does not: it buys texts alone."""
        return None if self._is_pilot else ask_content_free(self._job, self._desk)

    def close(self) -> None:
        """Let go of the teacher."""
        self._desk.close()

    def _buy(self, roles: Roles) -> Bought:
        """Choose among the rows to train on, and ask about those.

        Where the budget is short and nothing else chooses, a lot does. Rows that certify come
        before them: nobody chooses among these, and they are few.
        """
        questions: dict[Role, dict[int, Question]] = {Role.TRAIN: {}, Role.CERTIFICATION: {}}
        for first, batch in self._batches(self._rows):
            for place, row in enumerate(batch):
                if (role := roles.of(row)) in questions:
                    questions[role][first + place] = question_of(row)
        training, certifying = questions[Role.TRAIN], questions[Role.CERTIFICATION]
        job, desk = self._job, self._desk
        with job.stop.deferred():
            if self._is_pilot:
                return buy_by_lot(job, desk, training, most=PILOT_TEXTS, advance=self._advance)
            kept = self._buy_all(certifying, before=0)
            if self._is_lazy:
                beyond = partial(self._advance_beyond, len(kept.answers))
                bought = buy_answers(job, desk, training, advance=beyond)
            else:
                bought = self._buy_all(training, before=len(kept.answers))
            return replace(bought, answers={**kept.answers, **bought.answers})

    def _buy_all(self, questions: Mapping[int, Question], *, before: int) -> Bought:
        """Ask about all of them by lot, so that a budget which ends among them leaves a fair
        sample."""
        if not questions:
            return Bought({}, by_lot=frozenset(), told=None)
        beyond = partial(self._advance_beyond, before)
        return buy_by_lot(self._job, self._desk, questions, most=len(questions), advance=beyond)

    def _fill_with_others(self, roles: Roles, pool_rows: int) -> None:
        """Have every row answered in the store, together with whoever helps.

        The label file is written from the store afterwards, and what was counted here is
        counted again there: the owner alone knows nothing of what assistants bought.
        """
        offer = sharing.Sharing(self._job, rows=pool_rows)
        with self._job.stop.deferred():
            for shard in offer.parts():
                questions = read_questions(
                    self._rows, roles, first_row=shard.first_row, count=shard.rows
                )
                fill_store(
                    self._desk,
                    questions,
                    advance=lambda done: self._advance(offer.rows_done() + done),
                )
        self._desk.recount()
        self._done, self._filled = 0, pool_rows

    def _file(self, rows: Path, roles: Roles | None) -> str:
        path = self._job.artifacts.scratch_path(".parquet")
        write_labels(path, self._chunks(rows, roles))
        return self._job.artifacts.put(path)

    def _chunks(self, rows: Path, roles: Roles | None) -> Iterator[list[LabelEntry]]:
        with self._job.stop.deferred():
            for first, batch in self._batches(rows):
                yield self._entries(batch, roles, first=first)

    def _batches(self, rows: Path) -> Iterator[tuple[int, list[Row]]]:
        """The rows a group at a time, each with the place of its first."""
        first = 0
        for batch in iter_batches(rows, columns=COLUMNS, size=ROW_GROUP):
            yield first, batch
            first += len(batch)

    def _entries(self, rows: Sequence[Row], roles: Roles | None, *, first: int) -> list[LabelEntry]:
        """The entries of one chunk, asking about those rows that have a part in the job."""
        of = [roles.of(row) if roles else _measures(row) for row in rows]
        bought = self._bought_within(of, first=first)
        wanted = [
            place
            for place, role in enumerate(of)
            if role is not Role.EXCLUDED
            and place not in bought
            and not (self._is_pilot and role is not Role.TRAIN)
        ]
        questions = [question_of(rows[place]) for place in wanted]
        found: list[Asked | None] = self._desk.find(questions)
        self._advance(self._done + len(rows) - found.count(None))
        open_places = [place for place, asked in enumerate(found) if asked is None]
        for start in range(0, len(open_places), self._desk.batch_size):
            some = open_places[start : start + self._desk.batch_size]
            answers = self._desk.ask(
                [questions[place] for place in some],
                places=[first + wanted[place] for place in some],
                told=partial(self._advance_beyond, self._done),
            )
            for place, asked in zip(some, answers, strict=True):
                found[place] = asked
        by_row: dict[int, Asked | None] = {**bought, **dict(zip(wanted, found, strict=True))}
        return [self._entry(role, by_row.get(place)) for place, role in enumerate(of)]

    def _bought_within(self, roles: Sequence[Role], *, first: int) -> dict[int, Asked | None]:
        """What was bought of one chunk's rows to train on and to certify with, by place in it."""
        if self._bought is None:
            return {}
        return {
            place: self._bought.answers.get(first + place)
            for place, role in enumerate(roles)
            if role in (Role.TRAIN, Role.CERTIFICATION)
        }

    def _advance_beyond(self, before: int, over: int) -> None:
        self._advance(before + over)

    def _advance(self, done: int) -> None:
        job, tally = self._job, self._desk.tally
        self._done = done
        job.faults.reach("label.batch")
        if done < self._filled:
            # Told before; the counts stand again with the last of these rows.
            job.stop.check()
            return
        counts = tally.counts()
        rows = done if self._bought is None else tally.asked
        job.progress.advance(done, rows=rows, teacher=counts, tokens=tally.tokens())
        self._tell_if_cut_short()
        if tally.asked:
            job.book.tell_answers_sometimes(counts)
        tally.check_first()
        job.stop.check()

    def _tell_if_cut_short(self) -> None:
        desk = self._desk
        if desk.turned_down is not None:
            self._job.book.tell_once(
                EventType.BUDGET_REACHED, stop_reason=desk.turned_down.value, **desk.tally.counts()
            )

    def _entry(self, role: Role, asked: Asked | None) -> LabelEntry:
        if asked is None:
            return LabelEntry(role, UNASKED)
        answer = asked.answer
        return LabelEntry(
            role,
            answer.status.value,
            label=None if answer.label is None else self._names[answer.label],
            probabilities=answer.probabilities,
            confidence=answer.confidence,
            confidence_source=answer.confidence_source.value,
            cached=asked.cached,
        )


def _measures(row: Row) -> Role:
    """In an evaluation dataset a row without gold measures nothing, and is not asked about."""
    return Role.EXCLUDED if row["gold"] is None else Role.EVALUATION

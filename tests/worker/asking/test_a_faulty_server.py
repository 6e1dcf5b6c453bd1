"""Every fault that a teacher's server can have, played to the label stage of real jobs."""

import shutil
import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.engine import make_url
from structlog.testing import capture_logs

from core.calling.breaker import Park
from core.db.session import Database
from core.db.tables import TeacherAnswerRow
from core.egress.network import SystemNetwork
from core.label_files import iter_labels
from llkd.errors import TeacherUnusable
from tests.conftest import FIGURE
from tests.core.egress.loopback import self_signed
from tests.fault_server import (
    ANSWERS,
    MIB,
    Asked,
    Reaction,
    always,
    completion,
    drips,
    error,
    faulty,
    hangs,
    in_seconds,
    once,
    reply,
    resets,
    says,
)
from tests.worker.corpus import add_dataset, add_distillation, make_rows, make_spec
from tests.worker.workshop import Workshop
from worker.asking.opening import TeacherNotAllowed
from worker.job import Job
from worker.stages.label import label

Faults = Mapping[str, Callable[[Asked], Reaction]]


def told(**changes: Any) -> Callable[[Asked], Reaction]:
    """A reply whose only choice is changed so, whenever the text is asked about."""
    return always(says(reply(completion(**changes))))


def whole(**changes: Any) -> Callable[[Asked], Reaction]:
    """A good reply with other fields beside its choice."""
    return always(says(reply(completion() | changes)))


def logprob(value: str) -> Callable[[Asked], Reaction]:
    """A reply with this as the code's log-probability, in a JSON that is none."""
    return always(says(reply(reply_body().replace(b"-0.1", value.encode()))))


def reply_body() -> bytes:
    return reply(completion()).split(b"\r\n\r\n", 1)[1]


def without_logprobs(asked: Asked) -> Reaction:
    """As vLLM answers where a probability is NaN, and well where none is asked for."""
    if b'"logprobs"' in asked.body:
        return error(500, message="Out of range float values are not JSON compliant: nan")
    return says(reply(completion(logprobs=None)))


# They pass: the text is asked about again, and answered.
PASSING: Faults = {
    "429-for-a-second": once(error(429, retry_after="1")),
    "429-until-a-date": lambda asked: once(error(429, retry_after=in_seconds(2)))(asked),
    "429-garbage": once(error(429, retry_after="soon, perhaps")),
    "500": once(error(500)),
    "503": once(error(503)),
    "html": once(says(reply(b"<html>Bad gateway</html>"))),
    "reset-in-the-body": once(resets),
    "hang": once(hangs),
    "drip": once(drips),
}
# Odd, but an answer.
ODD: Faults = {
    "another-id": told(index=7),
    "no-logprobs": told(logprobs=None),
    "logprobs-of-nothing": told(logprobs={"content": []}),
    "nan": logprob("NaN"),
    "minus-infinity": logprob("-Infinity"),
    "500-for-nan": without_logprobs,
    "usage-beyond-sense": whole(usage={"prompt_tokens": 1e300, "completion_tokens": -5}),
    "nul-in-the-model": whole(model="a\x00b"),
    "half-a-surrogate-as-model": whole(model="\ud800"),
    "reordered-and-twice": whole(choices=completion()["choices"] * 3),
}
REFUSED: Faults = {
    "content-filter": always(error(400, code="content_filter")),
    "policy": always(error(400, code="ResponsibleAIPolicyViolation")),
    "filtered-answer": told(finish_reason="content_filter"),
    "refusal": told(message={"role": "assistant", "content": None, "refusal": "I can't."}),
}
MALFORMED: Faults = {
    "no-label": told(content="Z", logprobs=None),
    "two-labels": told(content="A or B", logprobs=None),
    "prose": told(content="The label is A, I think.", logprobs=None),
    "empty": told(content="", logprobs=None, finish_reason="length"),
    "a-megabyte": told(content="A" * (MIB - 10_000), logprobs=None),
    "no-choice": whole(choices=[]),
    "choices-are-a-number": whole(choices=5),
    "content-is-a-list": told(content=[{"text": "A"}], logprobs=None),
}
TOO_LONG: Faults = {
    "context": always(error(400, code="context_length_exceeded")),
    "context-in-words": always(error(400, message="This model's maximum context length is 9.")),
}
FAILED: Faults = {
    "500-for-ever": always(error(500)),
    "reset-for-ever": always(resets),
    "hang-for-ever": always(hangs),
    "two-megabytes": told(content="A" * 2 * MIB),
    "redirect": always(says(reply({}, 307, location="http://169.254.169.254/latest"))),
    "bad-request": always(error(400, message="temperature has to be hot")),
    "not-found": always(error(404)),
    "no-http": always(says(b"SSH-2.0-OpenSSH_9.9\r\n\r\n")),
}
EXPECTED: Mapping[str, str] = {
    **dict.fromkeys({**PASSING, **ODD}, "answered"),
    **dict.fromkeys(REFUSED, "refused"),
    **dict.fromkeys(MALFORMED, "malformed"),
    **dict.fromkeys(TOO_LONG, "too_long"),
    **dict.fromkeys(FAILED, "failed"),
}
FAULTS: Faults = {**PASSING, **ODD, **REFUSED, **MALFORMED, **TOO_LONG, **FAILED}
ROWS = 720
ROWS_A_FAULT = 2


def of_text(asked: Asked) -> Reaction:
    """A text's last word names its fault."""
    fault = FAULTS.get(asked.text.rpartition(" ")[2])
    return ANSWERS if fault is None else fault(asked)


def rows_with_faults() -> list[dict[str, Any]]:
    """Every fault twice, far apart, among sound texts."""
    rows = make_rows(ROWS, gold=0)
    step = ROWS // (ROWS_A_FAULT * len(FAULTS))
    for turn, name in enumerate([*FAULTS] * ROWS_A_FAULT):
        row = rows[turn * step]
        row["text"] = f"{row['text']} {name}"
    return rows


def claim(
    workshop: Workshop,
    url: str,
    rows: list[dict[str, Any]],
    *,
    host: str | None = None,
    teacher: Mapping[str, Any] | None = None,
    **given: Any,
) -> Job:
    spec = {"kind": "openai", "base_url": url, "model": "m", "concurrency": 64}
    dataset = add_dataset(workshop.database, workshop.data_dir, rows)
    add_distillation(
        workshop.database, dataset, spec=make_spec(teacher=spec | dict(teacher or {})), **given
    )
    return workshop.claim(teacher_hosts=(host or url.removesuffix("/v1"),))


def statuses(job: Job, output: Mapping[str, Any]) -> list[str]:
    """One a row, from the file that the stage left."""
    chunks = iter_labels(job.artifacts.path(output["labels"]))
    return [entry["status"] for chunk in chunks for entry in chunk]


@dataclass
class Outcome:
    """What a job came to.

    Attributes:
        by_fault: the statuses of the rows with this fault.
        sound: the statuses of all others.
    """

    counts: Mapping[str, int]
    calls: Mapping[str, Any]
    by_fault: Mapping[str, list[str]]
    sound: Counter[str]
    held: tuple[int, int]


@pytest.fixture(scope="module")
def outcome(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Outcome]:
    """One job with every fault in it."""
    folder = tmp_path_factory.mktemp("faults")
    shutil.copyfile(sqlite_template, folder / "llkd.db")
    database = Database(make_url(f"sqlite:///{folder / 'llkd.db'}"))
    workshop = Workshop(database, folder / "var", folder / "models")
    rows = rows_with_faults()
    with faulty(of_text) as server, capture_logs() as logs:
        job = claim(workshop, server.url, rows, teacher={"timeout_seconds": 2.0})
        output = label(job, {})
    names = [row["text"].rpartition(" ")[2] for row in rows]
    found = list(zip(names, statuses(job, output), strict=True))
    row = workshop.row(job.row.id)
    yield Outcome(
        output["counts"],
        calls=next(event for event in logs if event["event"] == "teacher_calls"),
        by_fault={name: [said for other, said in found if other == name] for name in FAULTS},
        sound=Counter(said for name, said in found if name not in FAULTS),
        held=(row.held_calls, row.held_micros),
    )
    database.dispose()


@pytest.fixture
def workshop(sqlite_database: Database, tmp_path: Path) -> Workshop:
    return Workshop(sqlite_database, tmp_path / "var", tmp_path / "models")


class TestAJobWithEveryFault:
    @pytest.mark.parametrize("name", FAULTS)
    def test_has_an_outcome_for_each_row_that_meets_one(self, outcome: Outcome, name: str) -> None:
        assert outcome.by_fault[name] == [EXPECTED[name]] * ROWS_A_FAULT

    def test_has_an_answer_for_every_other_row(self, outcome: Outcome) -> None:
        assert outcome.sound == {"answered": ROWS - ROWS_A_FAULT * len(FAULTS)}

    def test_counts_exactly(self, outcome: Outcome) -> None:
        parts = Counter(EXPECTED.values())
        counts = dict(outcome.counts)
        assert counts.pop("asked") == ROWS
        assert counts.pop("cached") == counts.pop("missing") == 0
        assert sum(counts.values()) == ROWS
        for status in ("refused", "malformed", "too_long", "failed"):
            assert counts[status] == ROWS_A_FAULT * parts[status]

    def test_holds_nothing_in_the_end(self, outcome: Outcome) -> None:
        assert outcome.held == (0, 0)

    def test_tries_again_for_at_most_a_tenth_of_its_requests(
        self, outcome: Outcome, record_property: Callable[[str, object], None]
    ) -> None:
        retries, requests = outcome.calls["retries"], outcome.calls["requests"]
        share = f"{retries / requests:.1%}"
        record_property(FIGURE, f"{retries} retries of {requests} requests ({share})")
        # Each passing fault takes one, and each that stays takes two.
        assert ROWS_A_FAULT * len(PASSING) <= retries <= requests / 10


class TestATeacherThatRefuses:
    def refusing(self, share: float) -> Callable[[Asked], Reaction]:
        def react(asked: Asked) -> Reaction:
            _, is_row, number = asked.text.rpartition(" n")
            refuses = is_row and int(number) % 10 < 10 * share
            return error(400, code="content_filter") if refuses else ANSWERS

        return react

    def test_three_texts_in_ten_leaves_them_out(self, workshop: Workshop) -> None:
        with faulty(self.refusing(0.3)) as server:
            job = claim(workshop, server.url, make_rows(150, gold=0))
            output = label(job, {})
        assert output["counts"]["refused"] == 45
        assert output["counts"]["answered"] == 105

    @pytest.mark.parametrize(("share", "rows"), [(1.0, 60), (0.3, 260)])
    def test_too_many_is_unusable(self, workshop: Workshop, share: float, rows: int) -> None:
        """More than half of all, or more than a fifth of the first 200."""
        with faulty(self.refusing(share)) as server:
            job = claim(workshop, server.url, make_rows(rows, gold=0))
            with pytest.raises(TeacherUnusable):
                label(job, {})


class TestAServerThatBreaksMidway:
    """A job that is parked keeps its answers, and buys the others once the server is back."""

    @pytest.mark.parametrize(
        ("fault", "code"),
        [
            pytest.param(error(401), "teacher-auth", id="401"),
            pytest.param(error(403), "teacher-auth", id="403"),
            pytest.param(error(402), "teacher-quota", id="402"),
            pytest.param(error(429, code="insufficient_quota"), "teacher-quota", id="no-quota"),
            pytest.param(error(429, retry_after="3600"), "teacher-unavailable", id="429-an-hour"),
            pytest.param(
                error(503, retry_after=in_seconds(3600)), "teacher-unavailable", id="503-a-date"
            ),
            pytest.param(error(500), "teacher-unavailable", id="500"),
            pytest.param(resets, "teacher-unavailable", id="reset"),
            pytest.param(says(reply(b"<html>")), "teacher-unavailable", id="html"),
            pytest.param(
                says(reply({}, 302, location="http://169.254.169.254/")),
                "teacher-unavailable",
                id="redirect",
            ),
        ],
    )
    def test_parks_the_job(self, workshop: Workshop, fault: Reaction, code: str) -> None:
        healthy = 40
        answered: Counter[str] = Counter()

        def react(asked: Asked) -> Reaction:
            if len(server.asked) > healthy:
                return fault
            answered[asked.text] += 1
            return ANSWERS

        rows = make_rows(100, gold=0)
        texts = {row["text"] for row in rows}
        with faulty(react) as server:
            job = claim(workshop, server.url, rows, teacher={"concurrency": 8})
            with pytest.raises(Park) as parked:
                label(job, {})
            assert parked.value.code == code
            assert self.labelled(workshop) == len(texts & answered.keys())
            workshop.give_back(job)
            server.react = always(ANSWERS)
            before = len(server.asked)
            again = workshop.claim(teacher_hosts=(server.url.removesuffix("/v1"),))
            assert label(again, {})["counts"]["answered"] == len(rows)
            bought = [each.text for each in server.asked[before:] if each.text in texts]
        assert Counter(bought) == Counter(texts - answered.keys())

    def labelled(self, workshop: Workshop) -> int:
        with workshop.database.read() as session:
            return session.query(TeacherAnswerRow).filter_by(status="answered").count()


class TestAServerThatIsNotThere:
    @pytest.mark.parametrize(
        "url",
        [
            pytest.param("http://llkd-teacher.invalid:8000/v1", id="dns"),
            pytest.param("http://127.0.0.1:{closed}/v1", id="connect"),
            pytest.param("https://127.0.0.1:{stranger}/v1", id="tls"),
        ],
    )
    def test_parks_the_job(self, workshop: Workshop, tmp_path: Path, url: str) -> None:
        stranger = self_signed("127.0.0.1", folder=tmp_path).server
        with closing(socket.create_server(("127.0.0.1", 0))) as unused:
            closed = unused.getsockname()[1]
        with faulty(always(ANSWERS), tls=stranger) as server:
            there = url.format(closed=closed, stranger=server.port)
            host = there.removesuffix("/v1")
            allowed = f"{host}=private" if host.startswith("https") else host
            job = claim(workshop, there, make_rows(40, gold=0), host=allowed)
            with pytest.raises(Park) as parked:
                label(job, {})
        assert parked.value.code == "teacher-unavailable"
        assert not server.asked


class TestANameThatMovesMidway:
    """The name stands for the server first, and for what hands out credentials then."""

    @pytest.fixture
    def connected(self, monkeypatch: pytest.MonkeyPatch) -> list[str]:
        """The addresses that connections went to."""
        addresses: list[str] = []
        resolved: list[str] = []
        connect = SystemNetwork.connect

        async def resolve(_: SystemNetwork, host: str, port: int) -> list[str]:
            resolved.append(host)
            return ["127.0.0.1"] if len(resolved) < 10 else ["169.254.169.254"]

        async def noted(
            network: SystemNetwork, protocol: Any, address: str, *given: Any, **more: Any
        ) -> Any:
            addresses.append(address)
            return await connect(network, protocol, address, *given, **more)

        monkeypatch.setattr(SystemNetwork, "resolve", resolve)
        monkeypatch.setattr(SystemNetwork, "connect", noted)
        return addresses

    def test_is_not_followed_and_parks_the_job(
        self, workshop: Workshop, connected: list[str]
    ) -> None:
        closing_each = says(reply(completion(), connection="close"))
        with faulty(always(closing_each)) as server:
            url = f"http://teacher.test:{server.port}/v1"
            job = claim(workshop, url, make_rows(60, gold=0), teacher={"concurrency": 4})
            with pytest.raises(Park) as parked:
                label(job, {})
            assert parked.value.code == "teacher-unavailable"
            assert set(connected) == {"127.0.0.1"}
            assert server.accepted == len(connected) == 9


class TestACapUnderFaults:
    def test_is_never_passed(self, workshop: Workshop) -> None:
        """What may have been billed counts as spent: timeouts, and replies that broke off."""
        cap = 30_000
        most: list[int] = []
        prices = {"input_usd_per_million": 1.0, "output_usd_per_million": 1.0}

        def look(job: Job, _: Asked) -> None:
            row = workshop.row(job.row.id)
            most.append(row.spent_micros + row.held_micros)

        def react(asked: Asked) -> Reaction:
            turn = len(server.asked) % 40
            fault = {3: resets, 17: says(reply(b"<html>")), 31: hangs}.get(turn, ANSWERS)
            return once(fault)(asked)

        with faulty(react) as server:
            job = claim(
                workshop,
                server.url,
                make_rows(400, gold=0),
                teacher={"prices": prices, "timeout_seconds": 1.0},
                cap_micros=cap,
            )
            server.look = partial(look, job)
            output = label(job, {})
        row = workshop.row(job.row.id)
        assert output["cut_short"] == "budget"
        assert cap / 2 < max(most) <= cap
        assert cap / 2 < row.spent_micros <= cap
        assert row.held_micros == row.held_calls == 0


class TestAServerThatRepeatsTheKey:
    KEY = "sk-canary-0123456789abcdef"

    def test_has_it_stored_nowhere(self, workshop: Workshop) -> None:
        def react(asked: Asked) -> Reaction:
            return says(reply(completion() | {"model": f"echo {asked.key}"}))

        teacher_id = "teacher_01M8C0QK3Z6F2V9W4T7R1X5N8D"
        with faulty(react) as server:
            job = claim(
                workshop, server.url, make_rows(40, gold=0), teacher={"teacher_id": teacher_id}
            )
            job.assignment.teacher_keys[teacher_id] = self.KEY
            label(job, {})
            assert {asked.key for asked in server.asked} == {self.KEY}
        with workshop.database.read() as session:
            models = {row.model for row in session.query(TeacherAnswerRow)}
        assert models == {"echo [redacted]"}
        assert self.KEY not in repr(workshop.told)


class TestAServerThatIsListedNoLonger:
    def test_is_not_called(self, workshop: Workshop) -> None:
        with faulty(always(ANSWERS)) as server:
            job = claim(workshop, server.url, make_rows(40, gold=0), host="api.openai.com")
            with pytest.raises(TeacherNotAllowed):
                label(job, {})
            assert server.accepted == 0

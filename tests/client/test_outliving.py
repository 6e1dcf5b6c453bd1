"""A service that is killed and started again in the middle of something costs only time."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from llkd_client import RetryPolicy
from tests.acceptance.deployment import kill
from tests.client.conftest import Served
from tests.worker.corpus import make_rows

pytestmark = pytest.mark.parametrize("kind", ["sync", "async"])
# A machine that is busy with other tests takes a while to start it again.
PATIENT = RetryPolicy(attempts=300, first_wait=0.1, longest_wait=1.0)


@contextmanager
def coming_back(served: Served) -> Iterator[None]:
    """Dead from here on, and started again while the block goes on without it."""
    kill(served.api)

    def start() -> None:
        served.api = served.deployment.start_api()

    starting = threading.Thread(target=start)
    starting.start()
    yield
    starting.join()


class TestKilledMidway:
    def test_events_are_told_each_once_and_in_order(self, kind, served: Served, spec):
        client = served.client(kind, retry=PATIENT)
        job = client.jobs.create(dataset_id=served.job.dataset_id, **spec)
        events = client.jobs.events(job.id)
        told = [next(events)]
        with coming_back(served):
            told += events
        stored = [(str(row.seq), row.type) for row in served.deployment.events(job.id)]
        assert [(event.id, event.type) for event in told] == stored
        assert client.jobs.wait(job.id).succeeded

    def test_a_list_is_read_to_its_end(self, kind, served: Served):
        client = served.client(kind, retry=PATIENT)
        rows = client.datasets.rows(served.job.dataset_id)
        read = [next(rows)]
        with coming_back(served):
            read += rows
        assert [row.index for row in read] == list(range(240))

    def test_predictions_are_all_answered(self, kind, served: Served):
        client = served.client(kind, retry=PATIENT)
        answers = client.predict_each(served.model, (row["text"] for row in make_rows(700)))
        told = [next(answers)]
        with coming_back(served):
            told += answers
        assert [answer.index for answer in told] == list(range(700))
        assert all(answer.label for answer in told)

    def test_what_is_created_meanwhile_is_created_once(self, kind, served: Served):
        client = served.client(kind, retry=PATIENT)
        name = f"meanwhile {kind}"
        with coming_back(served):
            made = client.datasets.add_texts([row["text"] for row in make_rows(40)], name=name)
        assert [each.id for each in client.datasets.list() if each.name == name] == [made.id]

from core.db.repositories.events import EventRepository
from core.db.session import Database
from core.lifecycle import EventType
from tests.factories import make_job


class TestEvents:
    def test_pages_follow_the_last_event_that_was_seen(self, database: Database) -> None:
        with database.write() as session:
            job, other = make_job(session), make_job(session)
            events = EventRepository(session)
            for step in range(5):
                events.append(job.id, EventType.TRAIN_METRICS, {"step": step})
                events.append(other.id, EventType.TRAIN_METRICS, {"step": -1})
        with database.read() as session:
            events = EventRepository(session)
            first = events.page(job.id, limit=3)
            rest = events.page(job.id, after_seq=first[-1].seq, limit=3)
            assert events.page(job.id, after_seq=rest[-1].seq, limit=3) == []
        assert [event.data["step"] for event in [*first, *rest]] == [0, 1, 2, 3, 4]
        assert {event.job_id for event in first} == {job.id}
        assert all(event.at.tzinfo is not None for event in first)

    def test_the_newest_of_many_jobs_are_those_of_each(self, database: Database) -> None:
        with database.write() as session:
            jobs = [make_job(session) for _ in range(3)]
            events = EventRepository(session)
            for attempt in range(2):
                for job in jobs[:2]:
                    events.append(job.id, EventType.STAGE_STARTED, {"attempt": attempt})
                    events.append(job.id, EventType.TRAIN_METRICS, {})
        with database.read() as session:
            events = EventRepository(session)
            found = events.latest_of_jobs([job.id for job in jobs], EventType.STAGE_STARTED)
            singly = {job.id: events.latest(job.id, EventType.STAGE_STARTED) for job in jobs}
        assert found == {job_id: row for job_id, row in singly.items() if row is not None}
        assert [row.data for row in found.values()] == [{"attempt": 1}, {"attempt": 1}]

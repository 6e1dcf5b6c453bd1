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

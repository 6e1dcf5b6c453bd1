"""How a failed job tells what went wrong."""

from core import errors
from worker import problems
from worker.stages.predict import ModelUnavailable


class TestACodeThatTheApiHasToo:
    def test_has_the_status_and_the_title_that_it_has_there(self) -> None:
        told = problems.method_failed(ModelUnavailable("a file is missing"), stage="predict")
        kind = errors.ModelUnavailable
        assert told["code"] == kind.code
        assert (told["status"], told["title"]) == (kind.status, kind.title)
        assert told["detail"] == "a file is missing"

"""A local language model labels, a student learns from it, and the service answers."""

from collections.abc import Callable
from pathlib import Path

import pytest

from llkd.content_free import CONTENT_FREE_TEXTS
from llkd.specs import Label
from tests.acceptance.deployment import JOB, Deployment
from tests.worker.corpus import add_models, make_rows
from tests.worker.taught_lm import write_taught_lm

TEACHER = {
    "kind": "huggingface",
    "model": "local/lm",
    "examples_per_label": 0,
    "precision": "float32",
}
ROWS = 200
GOLD = 30


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with `local/tiny` for the student and `local/lm` for the teacher."""
    folder = add_models(tmp_path_factory.mktemp("base"))
    write_taught_lm(folder / "lm", [Label.model_validate(label) for label in JOB["labels"]])
    return folder


class TestAJobWithoutAnyServer:
    def test_ends_with_a_model_taught_by_a_language_model(
        self, embedded: Deployment, figure: Callable[[str], None]
    ) -> None:
        embedded.start_api()
        embedded.start_worker()
        dataset_id = embedded.upload(make_rows(ROWS, gold=GOLD))
        job_id = embedded.submit(dataset_id, teacher=TEACHER)
        embedded.wait_for_end(job_id)

        told = embedded.tell(job_id)
        assert told["progress"]["teacher"]["answered"] == ROWS
        assert told["usage"]["cost_usd"] == 0
        assert told["usage"]["teacher_calls"] == ROWS + len(CONTENT_FREE_TEXTS)
        labels = embedded.http.get(f"/jobs/{job_id}/labels", params={"limit": 100}).json()["data"]
        assert {each["confidence_source"] for each in labels} == {"label_logprob"}

        report = embedded.http.get(f"/jobs/{job_id}/report").json()
        accuracy = report["teacher"]["evaluation"]["accuracy"]["value"]
        assert accuracy > 0.9
        answer = embedded.http.post(
            "/predict", json={"model": "tickets", "input": ["invoice word1", "crash word2"]}
        )
        assert answer.status_code == 200, answer.text
        figure(f"teacher's accuracy {accuracy:.2f}")

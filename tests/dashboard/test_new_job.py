"""New job: labels, a teacher, what it will take, and the call that starts it."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.acceptance.deployment import Deployment
from tests.dashboard.browser import save_screenshot
from tests.dashboard.jobs import TEXTS
from tests.worker.corpus import LABELS

TINY = '{"confidence": "given", "student": {"model": "local/tiny", "max_length": 16}}'


@pytest.fixture(scope="package")
def dataset_id(api: Deployment) -> str:
    return api.upload()


def told(page: Page) -> dict[str, Any]:
    """The JSON that the page says it will send."""
    text = page.locator("pre[aria-label=JSON]").text_content()
    assert text is not None
    body: dict[str, Any] = json.loads(text)
    return body


def name_labels(page: Page) -> None:
    for place, name in enumerate(["billing", "failure"]):
        page.get_by_label("Name", exact=True).nth(place).fill(name)


class TestNewJob:
    def test_defaults_are_left_out_of_what_is_sent(self, page: Page, dataset_id: str) -> None:
        page.goto(f"/#/new?dataset={dataset_id}")
        name_labels(page)
        page.get_by_label("Few-shot").check()
        assert told(page) == {
            "name": "tickets",
            "dataset_id": dataset_id,
            "labels": [{"name": "billing"}, {"name": "failure"}],
            "teacher": {"kind": "few_shot"},
        }
        estimate = page.locator(".estimate")
        expect(estimate).to_contain_text("Calls to the teacher")
        expect(estimate).to_contain_text("Money")
        save_screenshot(page, "new-job")

    def test_many_labels_are_pasted_at_once(self, page: Page, dataset_id: str) -> None:
        page.goto(f"/#/new?dataset={dataset_id}")
        page.get_by_role("button", name="Paste many").click()
        page.get_by_role("dialog").get_by_role("textbox").fill(
            "billing: Invoices: all of them\naccount\tLogin, password\n\nother"
        )
        page.get_by_role("button", name="Add them").click()
        # A dialog tells of its end only after it has closed.
        expect(page.locator("pre[aria-label=JSON]")).to_contain_text("other")
        assert told(page)["labels"] == [
            {"name": "billing", "description": "Invoices: all of them"},
            {"name": "account", "description": "Login, password"},
            {"name": "other"},
        ]

    def test_gold_labels_name_the_labels(self, page: Page, dataset_id: str) -> None:
        page.goto(f"/#/new?dataset={dataset_id}")
        page.get_by_role("button", name="Take the 3 gold labels").click()
        assert [label["name"] for label in told(page)["labels"]] == sorted(LABELS)

    def test_answers_in_the_data_are_the_teacher_where_there_are_some(
        self, page: Page, dataset_id: str, api: Deployment
    ) -> None:
        page.goto(f"/#/new?dataset={dataset_id}")
        assert told(page)["teacher"] == {"kind": "provided"}
        bare = api.http.post("/datasets", json={"name": "bare", "rows": TEXTS})
        page.goto(f"/#/new?dataset={bare.json()['id']}")
        expect(page.get_by_label("Answers in the data")).to_be_disabled()
        assert told(page)["teacher"] == {"kind": "few_shot"}

    def test_what_the_service_refuses_is_marked_where_it_is(
        self, page: Page, complaints: Any, dataset_id: str
    ) -> None:
        complaints.expect("422")
        page.goto(f"/#/new?dataset={dataset_id}")
        for place in range(2):
            page.get_by_label("Name", exact=True).nth(place).fill("billing")
        expect(page.get_by_role("alert")).to_contain_text("billing")

    def test_a_fault_is_marked_at_its_label_wherever_rows_without_a_name_stand(
        self, page: Page, complaints: Any, dataset_id: str
    ) -> None:
        complaints.expect("422")
        fault = {"pointer": "/labels/1/name", "code": "invalid", "message": "Not this name."}
        refusal = {"title": "Invalid", "status": 422, "errors": [fault]}
        page.route("**/jobs/estimate", lambda route: route.fulfill(status=422, json=refusal))
        page.goto(f"/#/new?dataset={dataset_id}")
        page.get_by_role("button", name="Add a label").click()
        names = page.get_by_label("Name", exact=True)
        names.nth(1).fill("billing")
        names.nth(2).fill("failure")
        expect(names.nth(2)).to_have_attribute("aria-invalid", "true")
        expect(page.locator("[aria-invalid]")).to_have_count(1)
        expect(page.get_by_role("button", name="Remove the label failure")).to_be_visible()

    def test_a_paste_that_is_cancelled_takes_nothing_away(
        self, page: Page, dataset_id: str
    ) -> None:
        page.goto(f"/#/new?dataset={dataset_id}")
        page.get_by_label("What it means").first.fill("Invoices")
        page.get_by_role("button", name="Paste many").click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("dialog")).to_have_count(0)
        expect(page.get_by_label("What it means").first).to_have_value("Invoices")

    def test_the_curl_quotes_and_names_no_key(self, page: Page, dataset_id: str) -> None:
        page.goto(f"/#/new?dataset={dataset_id}")
        name_labels(page)
        page.get_by_label("What it means").first.fill("what's owed")
        curl = page.locator("pre[aria-label=curl]").text_content() or ""
        assert "what'\\''s owed" in curl
        assert curl.startswith("curl http://127.0.0.1:")
        assert "Authorization" not in curl

    def test_a_pilot_is_started_beside_what_was_filled_in(
        self, page: Page, dataset_id: str, api: Deployment
    ) -> None:
        page.goto(f"/#/new?dataset={dataset_id}")
        forecast = page.get_by_role("button", name="Forecast from 300 answers")
        expect(forecast).to_be_disabled()
        page.get_by_role("button", name="Take the 3 gold labels").click()
        forecast.click()
        pilot = page.get_by_role("link", name="The pilot and its forecast")
        expect(pilot).to_be_visible()
        job_id = (pilot.get_attribute("href") or "").rpartition("/")[2]
        assert api.tell(job_id)["purpose"] == "pilot"
        # A pilot is about one question: another has none yet.
        page.get_by_label("Name", exact=True).first.fill("renamed")
        expect(pilot).to_have_count(0)

    def test_a_pilot_of_what_was_asked_before_is_not_shown_for_what_is_asked_now(
        self, page: Page, dataset_id: str
    ) -> None:
        waiting: list[Route] = []

        def hold_the_pilot(route: Route) -> None:
            if (route.request.post_data_json or {}).get("pilot"):
                waiting.append(route)
            else:
                route.fallback()

        page.route("**/jobs/estimate", hold_the_pilot)
        page.goto(f"/#/new?dataset={dataset_id}")
        page.get_by_role("button", name="Take the 3 gold labels").click()
        page.get_by_role("button", name="Forecast from 300 answers").click()
        expect(page.get_by_role("button", name="Asking")).to_be_disabled()
        page.get_by_label("Name", exact=True).first.fill("renamed")
        pilot = {"job_id": "job_1", "state": "queued", "error": None, "forecast": None}
        (route,) = waiting
        route.fulfill(json={"pilot": pilot})
        expect(page.get_by_role("button", name="Forecast from 300 answers")).to_be_enabled()
        expect(page.get_by_role("link", name="The pilot and its forecast")).to_have_count(0)

    def test_a_start_that_came_to_nothing_is_not_to_be_pressed_while_labels_lack(
        self, page: Page, complaints: Any, dataset_id: str
    ) -> None:
        complaints.expect("503")
        waiting: list[Route] = []
        page.route("**/jobs", lambda route: waiting.append(route))
        page.goto(f"/#/new?dataset={dataset_id}")
        page.get_by_role("button", name="Take the 3 gold labels").click()
        page.get_by_role("button", name="Start the job").click()
        expect(page.get_by_role("button", name="Starting")).to_be_disabled()
        for place in range(2):
            page.get_by_label("Name", exact=True).nth(place).fill("")
        (route,) = waiting
        route.fulfill(status=503, json={"title": "Away", "status": 503})
        expect(page.get_by_role("alert")).to_contain_text("Away")
        expect(page.get_by_role("button", name="Start the job")).to_be_disabled()
        page.get_by_label("Name", exact=True).first.fill("billing")
        expect(page.get_by_role("button", name="Start the job")).to_be_enabled()

    def test_a_started_job_is_shown_and_listed(
        self, page: Page, dataset_id: str, service: Deployment
    ) -> None:
        page.goto(f"/#/new?dataset={dataset_id}")
        page.get_by_role("button", name="Take the 3 gold labels").click()
        page.get_by_text("Selection, student, budget, certificate").click()
        page.get_by_label("Anything else, as JSON").fill(TINY)
        expect(page.locator(".estimate")).to_contain_text("Training steps")
        page.get_by_role("button", name="Start the job").click()
        page.wait_for_url("**/#/jobs/job_*")
        job_id = page.url.rpartition("/")[2]
        asked = service.tell(job_id)["request"]
        assert asked["student"]["model"] == "local/tiny"
        page.goto("/#/jobs")
        expect(page.locator(f"a[href='#/jobs/{job_id}']")).to_have_text("tickets")
        service.wait_for_end(job_id)
        expect(page.get_by_role("row").filter(has_text="tickets").first).to_contain_text(
            "succeeded"
        )
        save_screenshot(page, "jobs")

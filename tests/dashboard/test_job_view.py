"""A job's page: its stages, its map and curves, what happens to it, and what can be done."""

import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlencode

import pytest
from playwright.sync_api import Page, Route, expect

from tests.acceptance.deployment import Deployment
from tests.dashboard.browser import Complaints, save_screenshot
from tests.dashboard.jobs import fail_job, start_long_job


@pytest.fixture
def running(service: Deployment) -> Iterator[str]:
    job_id = start_long_job(service)
    yield job_id
    service.http.post(f"/jobs/{job_id}/cancel")


class TestFinishedJob:
    def test_it_shows_its_stages_and_leads_to_what_it_made(
        self, page: Page, finished_job: str
    ) -> None:
        page.goto(f"/#/jobs/{finished_job}")
        expect(page.locator(".badge")).to_have_text("succeeded")
        expect(page.locator(".timeline li[data-state=succeeded]")).to_have_count(4)
        expect(page.get_by_role("link", name="Report")).to_be_visible()
        expect(page.get_by_role("link", name="Label audit")).to_be_visible()
        expect(page.get_by_role("link", name="Model", exact=True)).to_be_visible()
        expect(page.locator(".events")).to_contain_text("Succeeded")

    def test_the_whole_run_is_replayed_from_the_keyboard(
        self, page: Page, finished_job: str
    ) -> None:
        page.goto(f"/#/jobs/{finished_job}")
        slider = page.get_by_label("Step of the run")
        expect(page.locator(".map-sentence")).to_contain_text("Kept")
        expect(page.locator(".map-chart .main-svg").first).to_be_visible()
        last = slider.input_value()
        slider.focus()
        page.keyboard.press("Home")
        expect(page.locator(".player output")).to_contain_text("step 0")
        page.keyboard.press("ArrowRight")
        assert slider.input_value() == "1"
        page.keyboard.press("End")
        assert slider.input_value() == last
        page.get_by_role("button", name="Play").click()
        expect(slider).not_to_have_value(last)
        page.get_by_role("button", name="Pause").click()

    def test_its_curves_are_drawn_and_a_label_has_thresholds_of_its_own(
        self, page: Page, finished_job: str
    ) -> None:
        page.goto(f"/#/jobs/{finished_job}")
        for name in ("Loss of the student", "Kept, of what was seen", "Teacher's threshold"):
            chart = page.locator("figure").filter(has_text=name)
            chart.scroll_into_view_if_needed()
            expect(chart.locator(".main-svg").first).to_be_visible()
        page.get_by_label("Thresholds of").select_option("billing")
        expect(page.locator(".map-chart .shapelayer path").first).to_be_attached()
        save_screenshot(page, "job")

    def test_its_texts_are_texts(self, page: Page, finished_job: str) -> None:
        page.goto(f"/#/jobs/{finished_job}")
        page.get_by_label("Step of the run").press("Home")
        page.get_by_text("The texts that were kept").click()
        expect(page.locator(".map-texts li").first).to_contain_text("<script>alert(2)</script>")
        page.get_by_text("The texts that were passed over").click()
        expect(page.locator(".map-texts").nth(1).locator("li").first).to_be_visible()
        assert page.locator("main img, main script").count() == 0


class TestRunningJob:
    def test_it_is_followed_without_losing_the_place(self, page: Page, running: str) -> None:
        page.goto(f"/#/jobs/{running}")
        expect(page.locator(".badge")).to_have_text("running")
        expect(page.locator(".map-sentence")).to_contain_text("Kept")
        words = page.locator(".player output")
        before = words.text_content()
        page.get_by_role("button", name="Play").focus()
        page.evaluate("scrollTo(0, 300)")
        expect(words).not_to_have_text(before or "")
        expect(page.get_by_role("button", name="Play")).to_be_focused()
        assert page.evaluate("scrollY") == 300
        save_screenshot(page, "job-running")

    def test_it_is_cancelled_after_a_question_and_can_be_tried_again(
        self, page: Page, running: str, service: Deployment
    ) -> None:
        page.goto(f"/#/jobs/{running}")
        page.get_by_role("button", name="Cancel").click()
        dialog = page.get_by_role("dialog")
        dialog.get_by_role("button", name="Cancel", exact=True).click()
        assert service.tell(running)["cancel_requested_at"] is None
        page.get_by_role("button", name="Cancel").click()
        dialog.get_by_role("button", name="Cancel this job").click()
        expect(page.locator(".badge")).to_have_text("cancelled")
        page.get_by_role("button", name="Try again").click()
        with page.expect_request("**/retry") as asked:
            dialog.get_by_role("button", name="Start the new job").click()
        assert asked.value.headers["idempotency-key"]
        expect(page).not_to_have_url(f"/#/jobs/{running}")
        again = page.url.rsplit("/", 1)[-1]
        assert service.tell(again)["request"]["training"]["epochs"] == 1000
        service.http.post(f"/jobs/{again}/cancel")

    def test_without_a_stream_it_is_followed_by_asking(
        self, page: Page, running: str, complaints: Complaints
    ) -> None:
        complaints.expect("503")
        page.route(
            "**/events*",
            lambda route: (
                route.fulfill(status=503, json={"title": "Full", "status": 503})
                if "event-stream" in route.request.headers["accept"]
                else route.fallback()
            ),
        )
        page.goto(f"/#/jobs/{running}")
        expect(page.locator(".events")).to_contain_text("Train began")


class TestFailedJob:
    def test_it_says_why_and_what_to_do(self, page: Page, service: Deployment) -> None:
        job_id = fail_job(service)
        page.goto(f"/#/jobs/{job_id}")
        notice = page.get_by_role("alert")
        expect(notice).to_contain_text("What to do")
        expect(notice.get_by_role("link")).to_have_attribute(
            "href", service.tell(job_id)["error"]["type"]
        )
        expect(page.get_by_role("button", name="Try again")).to_be_visible()
        expect(page.get_by_text("ended before its training began")).to_be_visible()
        save_screenshot(page, "job-failed")


class TestSeveralStudents:
    def test_each_has_a_map_of_its_own(self, page: Page, finished_job: str) -> None:
        def as_of_two(route: Route) -> None:
            address, _, query = route.request.url.partition("?")
            asked = dict(parse_qsl(query))
            candidate = int(asked.pop("candidate", "1"))
            answer = route.fetch(url=f"{address}?{urlencode(asked)}")
            told = answer.json() | {"candidate": candidate, "candidates": 2}
            if told.get("frame"):
                told["frame"]["seen"] = (2000 if asked.get("frame") == "0" else 1000) + candidate
            route.fulfill(response=answer, json=told)

        page.route(re.compile(r"/(selection|training)\?"), as_of_two)
        page.goto(f"/#/jobs/{finished_job}")
        for student, seen in ((None, "001"), ("0", "000"), ("1", "001")):
            if student is not None:
                page.get_by_label("Training of").select_option(student)
            expect(page.locator(".map-sentence")).to_contain_text(f"of 1,{seen}")
            # The first frame has the same number in both.
            page.get_by_label("Step of the run").press("Home")
            expect(page.locator(".player output")).to_contain_text("step 0")
            expect(page.locator(".map-sentence")).to_contain_text(f"of 2,{seen}")

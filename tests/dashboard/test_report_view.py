"""A report in the page, and as one file that needs neither the service nor a network."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.acceptance.deployment import Deployment
from tests.dashboard.browser import Complaints, open_page, save_screenshot
from tests.dashboard.jobs import HARM, fail_job

SECTIONS = [
    "Teacher, student, and all labels",
    "Label by label",
    "Which label is taken for which",
    "How far their confidence can be believed",
    "What it costs",
    "What was not measured",
]
MAX_FILE_BYTES = 6_000_000


@pytest.fixture
def kept_file(page: Page, finished_job: str, tmp_path: Path) -> Path:
    page.goto(f"/#/jobs/{finished_job}/report")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as one file").click()
    path = tmp_path / "report.html"
    download.value.save_as(path)
    return path


class TestReport:
    def test_it_says_in_words_who_is_right_how_often(self, page: Page, finished_job: str) -> None:
        page.goto(f"/#/jobs/{finished_job}/report")
        expect(page.locator(".headline")).to_contain_text("The student is right on")
        for section in SECTIONS:
            expect(page.get_by_role("heading", name=section)).to_be_visible()
        expect(page.locator("table.matrix").first).to_be_visible()
        page.locator(".chart").last.scroll_into_view_if_needed()
        expect(page.locator(".chart .main-svg").last).to_be_visible()
        save_screenshot(page, "report")

    def test_a_second_try_draws_its_charts_too(
        self, page: Page, finished_job: str, complaints: Complaints
    ) -> None:
        complaints.expect("503")
        page.route(
            re.compile(r"^[^#]*/report$"),
            lambda route: route.fulfill(status=503, json={"title": "Busy", "status": 503}),
            times=1,
        )
        page.goto(f"/#/jobs/{finished_job}/report")
        page.get_by_role("button", name="Try again").click()
        page.locator(".chart").last.scroll_into_view_if_needed()
        expect(page.locator(".chart .main-svg").last).to_be_visible()

    def test_it_fits_a_narrow_screen(self, narrow_page: Page, finished_job: str) -> None:
        narrow_page.goto(f"/#/jobs/{finished_job}/report")
        expect(narrow_page.get_by_role("heading", name="How it was made")).to_be_visible()
        assert narrow_page.evaluate("document.documentElement.scrollWidth") <= 320
        save_screenshot(narrow_page, "report-narrow")

    def test_a_student_of_all_labels_is_compared_once_there_is_one(
        self, page: Page, finished_job: str, service: Deployment
    ) -> None:
        page.goto(f"/#/jobs/{finished_job}/report")
        with page.expect_request("**/jobs") as asked:
            page.get_by_role("button", name="Train one on all labels").click()
        assert asked.value.headers["idempotency-key"]
        expect(page.locator(".timeline")).to_be_visible()
        other = page.url.rsplit("/", 1)[-1]
        service.wait_for_end(other)
        page.goto(f"/#/jobs/{finished_job}/report")
        expect(page.get_by_role("cell", name="All labels (tickets-all)")).to_be_visible()
        expect(page.get_by_role("button", name="Train one on all labels")).to_have_count(0)

    def test_before_there_is_one_it_says_when(
        self, page: Page, service: Deployment, complaints: Complaints
    ) -> None:
        complaints.expect("409")
        job_id = fail_job(service)
        page.goto(f"/#/jobs/{job_id}/report")
        expect(page.get_by_role("heading", name="There is no report")).to_be_visible()


class TestFile:
    def test_it_holds_no_script_and_no_text_that_is_one(self, kept_file: Path) -> None:
        told = kept_file.read_text(encoding="utf-8")
        assert len(told.encode()) < MAX_FILE_BYTES
        assert "<script" not in told
        assert "<img src=x" not in told
        assert "&lt;script&gt;alert(2)" in told

    def test_it_opens_from_a_disk_with_its_charts_and_without_a_complaint(
        self, browser: Browser, kept_file: Path
    ) -> None:
        complaints = Complaints(kept_file.as_uri())
        with open_page(browser, kept_file.as_uri(), complaints=complaints, theme="dark") as page:
            page.context.unroute_all()
            page.goto(kept_file.as_uri())
            expect(page.locator(".headline")).to_be_visible()
            pictures = page.locator(".chart svg.main-svg")
            assert pictures.count() == page.locator(".chart").count() >= 3
            box = pictures.first.bounding_box()
            assert box is not None
            assert box["width"] > 300
            assert page.title() == "tickets: report"
            expect(page.get_by_text(HARM[:20]).first).to_be_attached()
            save_screenshot(page, "report-file-dark")
        complaints.check()


class TestLabels:
    def test_a_label_with_tags_in_its_name_is_seen_as_it_is(self, page: Page) -> None:
        name = "<b style='color: red'>R&D</b>"
        page.goto("/")
        expect(page.locator("h1")).to_be_visible()
        page.evaluate(
            """async (label) => {
                const { labelSection } = await import("/static/report/labels.js");
                const { drawFigures } = await import("/static/report/figure.js");
                const scores = { label, support: 9, precision: 0.5, recall: 0.5, f1: 0.5 };
                const student = { evaluation: { per_class: [scores] } };
                const report = { student, teacher: { evaluation: null } };
                document.getElementById("main").append(labelSection({ report }));
                await drawFigures(document.getElementById("main"));
            }""",
            name,
        )
        expect(page.locator(".ytick text")).to_have_text(name)

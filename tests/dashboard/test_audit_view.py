"""The label audit: corrected from the keyboard, kept, and the start of the next job."""

from playwright.sync_api import Page, Route, expect

from tests.acceptance.deployment import Deployment
from tests.dashboard.browser import Complaints, save_screenshot


class TestAudit:
    def test_it_has_four_lists_that_the_arrows_reach(self, page: Page, finished_job: str) -> None:
        page.goto(f"/#/jobs/{finished_job}/audit")
        expect(page.get_by_role("tab")).to_have_count(4)
        page.get_by_role("tab").first.focus()
        page.keyboard.press("ArrowRight")
        expect(page.get_by_role("tab", name="Contradictions")).to_have_attribute(
            "aria-selected", "true"
        )

    def test_corrections_are_kept_and_start_the_next_job(
        self, page: Page, finished_job: str, service: Deployment
    ) -> None:
        page.goto(f"/#/jobs/{finished_job}/audit")
        texts = page.locator(".judged")
        texts.first.focus()
        page.keyboard.press("2")
        page.keyboard.press("j")
        expect(texts.nth(1)).to_be_focused()
        page.keyboard.press("1")
        page.keyboard.press("j")
        page.keyboard.press("3")
        page.get_by_label("The right label").select_option("account")
        save_screenshot(page, "audit")
        page.reload()
        expect(page.get_by_text("3 corrections, kept in this browser")).to_be_visible()
        expect(texts.nth(1)).to_contain_text("Confirmed.")
        texts.nth(1).focus()
        page.keyboard.press("0")
        expect(page.get_by_text("2 corrections, kept in this browser")).to_be_visible()
        page.get_by_role("button", name="Start the next job").click()
        expect(page.get_by_role("link", name="an earlier job")).to_be_visible()
        next_job = page.url.rsplit("/", 1)[-1]
        told = service.tell(next_job)
        assert told["from_job"] == finished_job
        service.wait_for_end(next_job)

    def test_a_start_whose_answer_was_lost_is_sent_again_as_the_same_one(
        self, page: Page, complaints: Complaints, finished_job: str
    ) -> None:
        complaints.expect("503")
        keys: list[str] = []

        def lose_the_first(route: Route) -> None:
            keys.append(route.request.headers["idempotency-key"])
            if len(keys) == 1:
                route.fulfill(status=503, json={"title": "Busy", "status": 503})
            else:
                route.fulfill(status=202, json={"id": finished_job})

        page.route("**/jobs", lose_the_first)
        page.goto(f"/#/jobs/{finished_job}/audit")
        page.locator(".judged").first.focus()
        page.keyboard.press("1")
        page.get_by_role("button", name="Start the next job").click()
        expect(page.get_by_role("alert")).to_contain_text("Busy")
        page.get_by_role("button", name="Start the next job").click()
        page.wait_for_url(f"**/#/jobs/{finished_job}")
        assert len(keys) == 2
        assert len(set(keys)) == 1

    def test_more_than_a_job_takes_are_refused_in_sight(
        self, page: Page, finished_job: str
    ) -> None:
        page.goto(f"/#/jobs/{finished_job}/audit")
        page.evaluate(
            """(id) => {
                const pairs = Array.from({ length: 1000 }, (_, at) => [1e6 + at, "billing"]);
                localStorage.setItem(`llkd.corrections.${id}`, JSON.stringify(pairs));
            }""",
            finished_job,
        )
        page.reload()
        first = page.locator(".judged").first
        first.focus()
        page.keyboard.press("1")
        expect(first).to_contain_text("A job takes at most 1,000 corrections.")

    def test_texts_are_texts_on_a_narrow_screen_too(
        self, narrow_page: Page, finished_job: str
    ) -> None:
        narrow_page.goto(f"/#/jobs/{finished_job}/audit")
        expect(narrow_page.locator(".judged-text").first).to_contain_text("<script>")
        assert narrow_page.evaluate("document.documentElement.scrollWidth") <= 320
        save_screenshot(narrow_page, "audit-narrow")

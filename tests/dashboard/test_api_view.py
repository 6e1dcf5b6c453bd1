"""The API reference in the browser."""

from playwright.sync_api import Page, expect

from tests.dashboard.browser import save_screenshot


class TestApiReference:
    def test_where_people_look_for_it_leads_there(self, page: Page) -> None:
        page.goto("/docs")
        expect(page.get_by_role("heading", name="API reference")).to_be_visible()

    def test_an_address_shows_its_body_its_answers_and_their_fields(self, page: Page) -> None:
        page.goto("/#/api")
        page.get_by_label("Find").fill("POST /jobs")
        page.locator("summary", has_text="Queue a distillation").click()
        page.get_by_role("button", name="JobCreate").first.click()
        expect(page.get_by_role("heading", name="JobCreate")).to_be_visible()
        expect(page.get_by_role("cell", name="dataset_id required")).to_be_visible()
        save_screenshot(page, "api")

    def test_what_is_looked_for_and_not_there_is_said(self, page: Page) -> None:
        page.goto("/#/api")
        page.get_by_label("Find").fill("no such address")
        expect(page.get_by_text("Nothing fits.")).to_be_visible()

    def test_it_fits_a_narrow_screen(self, narrow_page: Page) -> None:
        narrow_page.goto("/#/api")
        narrow_page.locator("summary").first.click()
        expect(narrow_page.get_by_role("table").first).to_be_visible()
        assert narrow_page.evaluate("document.documentElement.scrollWidth") <= 320
        save_screenshot(narrow_page, "api-narrow")

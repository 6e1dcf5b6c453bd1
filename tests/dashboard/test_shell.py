"""The page around every view: where it leads, its colours, its keyboard, and what it obeys."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.dashboard.browser import Complaints, save_screenshot

KEY = "a-key-that-is-long-enough"
VIEWS = ["data", "new", "jobs", "models", "teachers"]


class TestShell:
    def test_the_address_alone_leads_to_the_data(self, page: Page) -> None:
        page.goto("/")
        expect(page.get_by_role("link", name="Data", exact=True)).to_have_attribute(
            "aria-current", "page"
        )
        expect(page.locator("footer")).to_contain_text("LLKD 0.")

    @pytest.mark.parametrize("view", VIEWS)
    def test_every_view_is_loaded_and_has_one_heading(self, page: Page, view: str) -> None:
        page.goto(f"/#/{view}")
        expect(page.locator("h1")).to_have_count(1)
        save_screenshot(page, f"{view}-empty")

    @pytest.mark.parametrize("view", VIEWS)
    def test_a_view_fits_a_narrow_screen(self, narrow_page: Page, view: str) -> None:
        narrow_page.goto(f"/#/{view}")
        expect(narrow_page.locator("h1")).to_have_count(1)
        assert narrow_page.evaluate("document.documentElement.scrollWidth") <= 320
        save_screenshot(narrow_page, f"{view}-empty-narrow")

    def test_a_keyboard_reaches_the_content_first(self, page: Page) -> None:
        page.goto("/")
        expect(page.locator("h1")).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.get_by_text("Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("#main")).to_be_focused()
        page.reload()
        expect(page.locator("h1")).to_be_visible()

    def test_a_question_goes_with_the_view_that_asks_it(self, page: Page) -> None:
        page.goto("/#/data")
        expect(page.locator("h1")).to_be_visible()
        page.evaluate(
            """async () => {
                const { confirmDialog } = await import("/static/parts.js");
                globalThis.asked = confirmDialog("Delete it?", "It will be gone.");
            }"""
        )
        expect(page.get_by_role("dialog")).to_be_visible()
        page.evaluate("location.hash = '#/jobs'")
        expect(page.get_by_role("dialog")).to_have_count(0)
        assert page.evaluate("asked") is False

    def test_a_choice_of_colours_is_kept(self, page: Page) -> None:
        page.goto("/")
        page.get_by_role("button", name="Colours").click()
        page.get_by_role("button", name="Colours: light").click()
        page.reload()
        expect(page.get_by_role("button", name="Colours: dark")).to_be_visible()
        assert page.evaluate("getComputedStyle(document.body).colorScheme") == "dark"

    def test_an_address_of_no_view_says_so(self, page: Page) -> None:
        page.goto("/#/nowhere")
        expect(page.get_by_role("heading", name="Not found")).to_be_visible()


class TestKey:
    def test_it_is_asked_for_when_the_service_wants_one_and_kept_in_this_tab_alone(
        self, page: Page, complaints: Complaints
    ) -> None:
        complaints.expect("401")

        def want_key(route: Route) -> None:
            if route.request.headers.get("authorization") == f"Bearer {KEY}":
                route.fallback()
            else:
                route.fulfill(status=401, json={"title": "Unauthorized", "status": 401})

        page.route("**/datasets**", want_key)
        page.goto("/")
        dialog = page.get_by_role("dialog")
        dialog.get_by_label("API key").fill("wrong")
        dialog.get_by_role("button", name="Use this key").click()
        expect(dialog.get_by_role("alert")).to_contain_text("not valid")
        dialog.get_by_label("API key").fill(KEY)
        page.keyboard.press("Enter")
        expect(page.get_by_role("heading", name="Datasets")).to_be_visible()
        expect(dialog).to_have_count(0)
        assert page.evaluate("sessionStorage.getItem('llkd.key')") == KEY
        assert page.evaluate("localStorage.length") == 0
        page.get_by_role("button", name="Forget key").click()
        expect(dialog).to_be_visible()

    def test_without_one_the_view_says_what_it_lacks(
        self, page: Page, complaints: Complaints
    ) -> None:
        complaints.expect("401")
        refusal = {"title": "Unauthorized", "detail": "A valid API key is required."}
        page.route(
            re.compile(r"/models(\?|$)"), lambda route: route.fulfill(status=401, json=refusal)
        )
        page.goto("/#/models")
        expect(page.get_by_role("dialog")).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.get_by_role("alert")).to_contain_text("A valid API key is required.")


class TestPolicy:
    def test_what_is_forbidden_is_found_out(
        self, page: Page, complaints: Complaints, base_url: str
    ) -> None:
        page.goto("/")
        page.evaluate(
            """() => {
                const style = document.createElement("style");
                style.textContent = "body { color: red }";
                document.head.append(style);
            }"""
        )
        page.wait_for_timeout(200)
        with pytest.raises(AssertionError, match="style-src"):
            complaints.check()
        complaints.expect("style-src|Content Security Policy")

    def test_charts_keep_it(self, page: Page) -> None:
        page.goto("/")
        page.evaluate(
            """async () => {
                const { draw, update, purge } = await import("/static/charts.js");
                const places = [];
                const points = { x: [1, 2, 3], y: [3, 1, 2] };
                const kinds = [
                    [{ type: "scatter", mode: "markers", ...points, text: ["a", "b", "<b>c</b>"] }],
                    [{ type: "scatter", mode: "lines", ...points, line: { shape: "hv" } }],
                    [{ type: "bar", orientation: "h", ...points }],
                ];
                for (const traces of kinds) {
                    const place = document.createElement("div");
                    place.className = "chart";
                    document.getElementById("main").append(place);
                    await draw(place, traces, {
                        shapes: [{ type: "line", x0: 1, x1: 2, y0: 1, y1: 2 }],
                        title: { text: "A chart" } }, { text: "A chart" });
                    await update(place, traces);
                    places.push(place);
                }
                globalThis.places = places;
            }"""
        )
        assert page.locator(".chart .main-svg").count() >= 4
        assert page.locator(".chart .scatterlayer .point").count() == 3
        page.locator(".chart").first.hover(position={"x": 300, "y": 150})
        page.get_by_role("button", name="Colours").click()
        page.wait_for_timeout(300)
        save_screenshot(page, "charts")

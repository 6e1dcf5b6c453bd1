"""Teachers: a connection is stored, tested with one call, chosen in a new job, and deleted."""

import pytest
from playwright.sync_api import Page, expect

from tests.dashboard.browser import Complaints, save_screenshot

KEY = "sk-a-secret-of-the-test"


@pytest.fixture
def address() -> str:
    """Where nothing listens, on a host that the operator allows."""
    return "http://127.0.0.1:9/v1"


class TestTeachers:
    def test_a_connection_is_stored_and_its_key_never_shown(self, page: Page, address: str) -> None:
        page.goto("/#/teachers")
        page.get_by_label("Name").fill("cellar")
        page.get_by_label("Address").fill(address)
        page.get_by_label("Model").fill("qwen")
        page.get_by_label("Key").fill(KEY)
        page.get_by_role("button", name="Store it").click()
        card = page.get_by_role("article", name="cellar")
        expect(card).to_contain_text("key …test")
        assert KEY not in page.content()
        card.get_by_role("button", name="Test with one call").click()
        expect(card.get_by_role("alert")).to_contain_text("It cannot teach as it is")
        save_screenshot(page, "teachers")
        card.get_by_role("button", name="Delete cellar").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("No connection is stored")).to_be_visible()

    def test_a_host_that_is_not_allowed_is_refused_in_words(
        self, page: Page, complaints: Complaints
    ) -> None:
        complaints.expect("422|400|403")
        page.goto("/#/teachers")
        page.get_by_label("Name").fill("far")
        page.get_by_label("Address").fill("https://example.org/v1")
        page.get_by_label("Model").fill("m")
        page.get_by_role("button", name="Store it").click()
        expect(page.get_by_role("alert")).to_contain_text("has not listed")

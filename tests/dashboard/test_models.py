"""Models: versions and their aliases, two side by side, the playground, drift, export, delete."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from core.artifacts import ArtifactStore
from tests.acceptance.deployment import Deployment
from tests.app.predict.tiny_model import register_model, write_tiny_model
from tests.dashboard.browser import Complaints, save_screenshot
from tests.dashboard.conftest import api_alone


def add_model(api: Deployment, folder: Path, *, name: str) -> None:
    """The next version of this name, as a job registers it; each of its words votes for a label."""
    write_tiny_model(folder)
    register_model(api.database, ArtifactStore(api.folder / "artifacts"), folder, name=name)


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    """An API of this module's own: its models come from no job, and from no real dataset."""
    deployment = api_alone(tmp_path_factory)
    yield deployment
    deployment.close()


@pytest.fixture(scope="module")
def model_name(api: Deployment, tmp_path_factory: pytest.TempPathFactory) -> str:
    """A name with two versions."""
    for _ in range(2):
        add_model(api, tmp_path_factory.mktemp("model"), name="pair")
    return "pair"


class TestModels:
    def test_a_name_is_listed_once_with_its_versions(self, page: Page, model_name: str) -> None:
        page.goto("/#/models")
        row = page.get_by_role("row").filter(has_text=model_name)
        expect(row).to_have_count(1)
        expect(row).to_contain_text("2")
        row.get_by_role("link").click()
        expect(page.get_by_role("heading", name=model_name, exact=True)).to_be_visible()


class TestTables:
    def test_one_is_a_tab_stop_only_where_it_scrolls(
        self, page: Page, narrow_page: Page, model_name: str
    ) -> None:
        page.goto("/#/models")
        expect(page.locator(".scroll:not([tabindex])")).to_have_count(1)
        narrow_page.goto(f"/#/models/{model_name}")
        versions = narrow_page.get_by_role("group", name="Versions, scrolls sideways")
        expect(versions).to_have_attribute("tabindex", "0")


class TestPlayground:
    def test_typing_shows_every_label_with_its_score(self, page: Page, model_name: str) -> None:
        page.goto(f"/#/models/{model_name}")
        page.get_by_label("Text", exact=True).fill("my invoice")
        scores = page.locator(".scores")
        expect(scores.get_by_role("row")).to_have_count(3)
        expect(page.locator(".verdict")).to_contain_text("says the student")

    def test_an_abstention_says_why(self, page: Page, model_name: str) -> None:
        page.goto(f"/#/models/{model_name}")
        page.get_by_label("Text", exact=True).fill("my invoice")
        page.get_by_label("Threshold").fill("1")
        expect(page.locator(".verdict")).to_contain_text("Abstains")
        expect(page.locator(".verdict")).to_contain_text("is below the threshold of 100 %")

    def test_two_versions_answer_side_by_side(self, page: Page, model_name: str) -> None:
        page.goto(f"/#/models/{model_name}")
        page.get_by_label("Compare with").select_option(label="pair version 1")
        page.get_by_label("Text", exact=True).fill("my invoice")
        expect(page.locator(".answer")).to_have_count(2)
        expect(page.locator(".scores")).to_have_count(2)
        expect(page.get_by_role("table", name="Figures", exact=True)).to_contain_text("Difference")
        drift = page.locator("section", has=page.locator("#drift"))
        expect(drift).to_contain_text("pair · version 1")
        save_screenshot(page, "model")

    def test_it_fits_a_narrow_screen(self, narrow_page: Page, model_name: str) -> None:
        narrow_page.goto(f"/#/models/{model_name}")
        narrow_page.get_by_label("Text", exact=True).fill("my invoice")
        expect(narrow_page.locator(".scores")).to_be_visible()
        assert narrow_page.evaluate("document.documentElement.scrollWidth") <= 320
        save_screenshot(narrow_page, "model-narrow")


class TestAliases:
    def test_one_is_made_moved_and_deleted(
        self, page: Page, model_name: str, api: Deployment
    ) -> None:
        page.goto(f"/#/models/{model_name}")
        page.get_by_label("New alias").fill("champion")
        page.get_by_role("button", name="Make it").click()
        target = page.get_by_label("What champion points at")
        expect(target).to_be_visible()
        with page.expect_response(lambda answer: answer.request.method == "PUT"):
            target.focus()
            target.select_option(label="version 1")
        expect(target).to_be_focused()
        expect(page.get_by_label("Version", exact=True)).to_contain_text("version 1 (champion)")
        path = f"/models/{model_name}/aliases"
        expect(page.get_by_label("What champion points at")).to_have_value(
            api.http.get(f"/models/{model_name}@champion").json()["id"]
        )
        page.get_by_role("button", name="Delete the alias champion").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_text("None of yours yet")).to_be_visible()
        expect(page.get_by_label("New alias")).to_be_focused()
        expect(page.get_by_label("Version", exact=True)).not_to_contain_text("champion")
        left = [alias["alias"] for alias in api.http.get(path).json()["data"]]
        assert left == ["latest"]

    def test_a_name_that_is_taken_is_not_overwritten(
        self, page: Page, complaints: Complaints, model_name: str, api: Deployment
    ) -> None:
        complaints.expect("412")
        newest = api.http.get(f"/models/{model_name}").json()["id"]
        api.http.put(f"/models/{model_name}/aliases/held", json={"model_id": newest})
        page.goto(f"/#/models/{model_name}")
        page.get_by_label("New alias").fill("held")
        page.get_by_role("button", name="Make it").click()
        expect(page.get_by_role("alert")).to_contain_text("changed")
        api.http.delete(f"/models/{model_name}/aliases/held")


class TestVersions:
    def test_a_version_is_deleted_only_after_a_yes(
        self, page: Page, api: Deployment, tmp_path: Path
    ) -> None:
        add_model(api, tmp_path, name="passing")
        page.goto("/#/models/passing")
        page.get_by_role("button", name="Delete version 1").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("heading", name="Models", exact=True)).to_be_visible()
        assert api.http.get("/models/passing").status_code in {404, 410}

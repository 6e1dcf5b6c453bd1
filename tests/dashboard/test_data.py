"""Data: a file on its way in, what was counted of it, and what was set aside."""

from pathlib import Path

from playwright.sync_api import Page, expect

from tests.acceptance.deployment import Deployment
from tests.dashboard.browser import Complaints, save_screenshot
from tests.dashboard.jobs import TEXTS


def upload(page: Page, file: Path, name: str) -> None:
    page.goto("/#/data")
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_role("heading", name=name)).to_be_visible()


class TestUpload:
    def test_a_file_becomes_a_dataset_that_says_what_was_set_aside(
        self, page: Page, corpus_file: Path
    ) -> None:
        page.goto("/#/data")
        page.locator("input[type=file]").set_input_files(corpus_file)
        # The columns were read from the file's first line, and their parts guessed.
        expect(page.get_by_label("Column with the texts")).to_have_value("text")
        expect(page.get_by_label("Column with gold labels")).to_have_value("label")
        expect(page.get_by_label("Name")).to_have_value("tickets")
        save_screenshot(page, "upload")
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_role("heading", name="tickets")).to_be_visible()
        aside = page.get_by_role("table", name="Rows and values set aside")
        expect(aside).to_contain_text("the text is empty or only white space")
        expect(aside.get_by_role("row")).to_have_count(3)
        expect(page.get_by_role("table", name="Gold labels")).to_contain_text("delivery")
        save_screenshot(page, "dataset")

    def test_a_dropped_file_is_taken(self, page: Page) -> None:
        page.goto("/#/data")
        dropped = page.evaluate_handle(
            """() => {
                const held = new DataTransfer();
                held.items.add(new File(['{"body": "one"}\\n{"body": "two"}\\n'], "two.jsonl"));
                return held;
            }"""
        )
        page.locator(".drop").dispatch_event("drop", {"dataTransfer": dropped})
        expect(page.get_by_label("Column with the texts")).to_have_value("body")

    def test_a_file_of_no_kind_we_read_is_refused_before_it_is_sent(
        self, page: Page, tmp_path: Path
    ) -> None:
        picture = tmp_path / "picture.png"
        picture.write_bytes(b"\x89PNG")
        page.goto("/#/data")
        page.locator("input[type=file]").set_input_files(picture)
        expect(page.get_by_role("alert")).to_contain_text("picture.png is of no kind")

    def test_a_file_that_cannot_be_read_says_where_it_is_wrong(
        self, page: Page, complaints: Complaints, tmp_path: Path
    ) -> None:
        complaints.expect("422|400")
        broken = tmp_path / "broken.jsonl"
        broken.write_text('{"text": "fine"}\n{"text": \n')
        page.goto("/#/data")
        page.locator("input[type=file]").set_input_files(broken)
        page.get_by_role("button", name="Upload").click()
        expect(page.get_by_role("alert")).to_contain_text("2")

    def test_a_text_that_looks_like_html_stays_a_text(self, page: Page, tmp_path: Path) -> None:
        tricky = tmp_path / "tricky.txt"
        lines = ["<img src=x onerror=alert(1)>", "<b>bold</b> claims"]
        tricky.write_text("\n".join([*lines, *(f"harmless line {number}" for number in range(40))]))
        upload(page, tricky, "tricky")
        expect(page.get_by_role("table", name="Texts")).to_contain_text("<b>bold</b> claims")
        assert page.locator("td img, td b").count() == 0


class TestDataset:
    def test_texts_are_turned_page_by_page(self, page: Page, api: Deployment) -> None:
        made = api.http.post("/datasets", json={"name": "many", "rows": TEXTS})
        page.goto(f"/#/data/{made.json()['id']}")
        texts = page.get_by_role("table", name="Texts", exact=True)
        expect(texts.get_by_role("row")).to_have_count(21)
        page.get_by_role("button", name="Next").click()
        expect(texts).to_contain_text("text number 39")
        page.get_by_role("button", name="Next").click()
        expect(texts.get_by_role("row")).to_have_count(6)
        expect(page.get_by_role("button", name="Next")).to_be_disabled()
        page.get_by_role("button", name="Back").click()
        expect(texts).to_contain_text("text number 20")

    def test_it_is_deleted_only_after_a_yes(self, page: Page, api: Deployment) -> None:
        made = api.http.post("/datasets", json={"name": "gone", "rows": TEXTS})
        page.goto(f"/#/data/{made.json()['id']}")
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Cancel").click()
        expect(page.get_by_role("heading", name="gone")).to_be_visible()
        page.get_by_role("button", name="Delete").click()
        page.get_by_role("dialog").get_by_role("button", name="Delete").click()
        expect(page.get_by_role("heading", name="Data", exact=True)).to_be_visible()
        expect(page.get_by_role("link", name="gone")).to_have_count(0)

    def test_one_that_is_not_there_says_so(self, page: Page, complaints: Complaints) -> None:
        complaints.expect("404")
        page.goto("/#/data/ds_01K0ABCDEFGHJKMNPQRSTVWXYZ")
        expect(page.get_by_role("alert")).to_contain_text("ds_01K0ABCDEFGHJKMNPQRSTVWXYZ")

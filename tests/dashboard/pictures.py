"""Takes the pictures of the documentation: `python -m tests.dashboard.pictures`, after a demo."""

import argparse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from playwright.sync_api import Locator, Page, expect

from demo.service import ROOT, running_service
from tests.dashboard.browser import Complaints, open_page, running_chromium

PICTURES = ROOT / "docs" / "pictures"
MODEL = "support-llkd"
UNSURE = "The courier has my money back but the app shows nothing."
LOADED_MS = 60_000
# Shares of the run at which the map is shown.
MOMENTS = {"early": 0.0, "midway": 0.4, "late": 1.0}


def main() -> None:
    """Start the service on the demo's data, and look at its newest LLKD job."""
    parser = argparse.ArgumentParser(prog="tests.dashboard.pictures", description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=ROOT / "var" / "demo")
    data_dir = parser.parse_args().data_dir
    PICTURES.mkdir(exist_ok=True)
    with running_service(data_dir) as service, _looking_at(service.url) as page:
        answer = httpx.get(f"{service.url}/models/{MODEL}")
        job = answer.raise_for_status().json()["job_id"]
        _picture_job(page, job)
        page.goto(f"/#/jobs/{job}/report")
        expect(page.locator("h1")).to_be_visible()
        _settle(page)
        page.screenshot(path=PICTURES / "report.png")
        _picture_playground(page)


@contextmanager
def _looking_at(url: str) -> Iterator[Page]:
    complaints = Complaints(url)
    with running_chromium() as browser, open_page(browser, url, complaints=complaints) as page:
        yield page
    complaints.check()


def _picture_job(page: Page, job: str) -> None:
    page.goto(f"/#/jobs/{job}")
    slider = page.get_by_label("Step of the run")
    expect(slider).to_be_visible()
    last = int(slider.get_attribute("max") or 0)
    for name, share in MOMENTS.items():
        slider.fill(str(round(share * last)))
        _settle(page)
        _panel_with(page, "What is worth learning from").screenshot(
            path=PICTURES / f"selection-{name}.png"
        )
    slider.fill(str(round(MOMENTS["midway"] * last)))
    page.evaluate("scrollTo(0, 0)")
    _settle(page)
    page.screenshot(path=PICTURES / "job.png")


def _picture_playground(page: Page) -> None:
    page.goto(f"/#/models/{MODEL}")
    page.locator("textarea").first.fill(UNSURE)
    # The first answer waits until the model is loaded.
    expect(page.locator(".scores")).to_be_visible(timeout=LOADED_MS)
    _settle(page)
    page.screenshot(path=PICTURES / "playground.png")


def _panel_with(page: Page, heading: str) -> Locator:
    return page.locator("section").filter(has=page.get_by_role("heading", name=heading)).first


def _settle(page: Page) -> None:
    """Until answers are there and charts are drawn; a picture may wait for longer than a test."""
    page.wait_for_load_state("networkidle")
    page.evaluate("document.activeElement?.blur()")
    page.wait_for_timeout(1500)


if __name__ == "__main__":
    main()

"""How long does whoever uses the dashboard wait, with large data?

`python -m benchmarks.dashboard_interactions`: a dataset of 100,000 texts and a job of 10,000
steps in a real Chromium; each thing is done 20 times. The time is by the clock, from the key or
the pointer that goes down to the last change of the page that comes of it, drawn: what the
service answers meanwhile is in it. What is clicked is in sight before: charts are drawn once
they come into sight, which is a row of its own.
"""

import argparse
import json
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import httpx
from playwright.sync_api import Locator, Page
from rich.console import Console
from rich.table import Table

from benchmarks.large_job import LABELS, ROWS, add_dataset, add_job
from benchmarks.machine import describe_machine
from core.ids import DatasetId, JobId
from demo.service import running_service
from tests.dashboard.browser import Complaints, open_page, running_chromium

# So long nothing changes any more: it is done. A poll of a page comes later than that.
QUIET_MS = 500
WATCH = """
window.timed = { begun: 0, first: 0, changed: 0 };
for (const kind of ["pointerdown", "keydown", "input", "change", "scroll"]) {
  addEventListener(kind, (event) => (timed.begun ||= event.timeStamp), { capture: true });
}
// A change is seen once its frame was drawn: a task comes after it.
new MutationObserver(() => {
  if (!timed.begun) return;
  requestAnimationFrame(() => setTimeout(() => {
    timed.changed = performance.now();
    timed.first ||= timed.changed;
  }));
}).observe(document, { subtree: true, childList: true, attributes: true, characterData: true });
"""
WAITED = """
async (quiet) => {
  while (!timed.changed || performance.now() - timed.changed < quiet) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return [timed.first - timed.begun, timed.changed - timed.begun];
}
"""
Act = Callable[[Page], object]
# Milliseconds until the first and until the last change were drawn.
Waited = tuple[float, float]


def main() -> None:
    """Make the data, do what people do, and print the times."""
    options = _options()
    with (
        tempfile.TemporaryDirectory(prefix="llkd-interactions-") as name,
        running_service(Path(name)) as service,
        httpx.Client(base_url=service.url, timeout=600, trust_env=False) as client,
    ):
        dataset_id = add_dataset(client, rows=options.rows, folder=Path(name))
        job_id = add_job(service.data_dir, dataset_id, rows=options.rows)
        complaints = Complaints(service.url)
        with (
            running_chromium() as browser,
            open_page(browser, service.url, complaints=complaints) as page,
        ):
            page.add_init_script(WATCH)
            timed = _time_all(page, job_id, dataset_id, times=options.times)
        complaints.check()
    Console().print(_table(timed))
    if options.out:
        with options.out.open("a", encoding="utf-8") as out:
            found = {"machine": describe_machine(), "rows": options.rows, "wall_ms": timed}
            out.write(json.dumps(found) + "\n")


def _time_all(
    page: Page, job_id: JobId, dataset_id: DatasetId, *, times: int
) -> dict[str, Sequence[Waited]]:
    """What was waited each time, by what is done."""
    timed: dict[str, Sequence[Waited]] = {}

    def time_each(name: str, acts: Sequence[Act], *, before: Act | None = None) -> None:
        timed[name] = [_time(page, act, before=before) for act in acts]

    def follow(path: str) -> Act:
        return lambda page: page.locator(f"a[href='#/{path}']").first.click()

    def choose(label: str) -> Act:
        return lambda page: page.get_by_label("Thresholds of").select_option(label)

    def at(path: str) -> Act:
        return lambda page: _visit(page, path)

    def scroll(page: Page) -> None:
        page.get_by_role("heading", name="Events").scroll_into_view_if_needed()

    time_each("open the job", [follow(f"jobs/{job_id}")] * times, before=at("jobs"))
    time_each("scroll down to its curves", [scroll] * times, before=at(f"jobs/{job_id}"))
    slider = page.get_by_label("Step of the run")
    _bring_into_sight(slider)
    time_each("move the map by a step", [lambda _: slider.press("ArrowLeft")] * times)
    time_each(
        "show a label's thresholds",
        [choose(f"label {number}") for number in range(min(times, LABELS))],
    )
    time_each(
        "show the texts that were kept",
        [lambda page: page.get_by_text("The texts that were kept").click()] * times,
    )
    progress = page.get_by_label("progress, too")
    _bring_into_sight(progress)
    time_each("show progress events, too", [lambda _: progress.click()] * times)
    time_each("open the dataset", [follow(f"data/{dataset_id}")] * times, before=at("data"))
    turn = page.get_by_role("button", name="Next").first
    _bring_into_sight(turn)
    time_each("turn a page of its texts", [lambda _: turn.click()] * times)
    return timed


def _visit(page: Page, path: str) -> None:
    """Anew, whatever was looked at before, and until nothing moves."""
    page.goto("/#/teachers")
    page.goto(f"/#/{path}")
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(2 * QUIET_MS)


def _bring_into_sight(what: Locator) -> None:
    what.scroll_into_view_if_needed()
    what.page.wait_for_timeout(2 * QUIET_MS)


def _time(page: Page, act: Act, *, before: Act | None) -> Waited:
    if before is not None:
        before(page)
    page.evaluate("timed.begun = timed.first = timed.changed = 0")
    act(page)
    first, last = page.evaluate(WAITED, QUIET_MS)
    return first, last


def _table(timed: dict[str, Sequence[Waited]]) -> Table:
    table = Table(title="What somebody waits for at the dashboard")
    table.add_column("what is done")
    for heading in ("first change, median ms", "last change, median ms", "worst ms"):
        table.add_column(heading, justify="right")
    for name, waits in timed.items():
        first, last = zip(*waits, strict=True)
        table.add_row(name, *(f"{ms:,.0f}" for ms in (median(first), median(last), max(last))))
    return table


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dashboard_interactions", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--times", type=int, default=20, help="how often each thing is done")
    parser.add_argument("--out", type=Path, help="append the figures as a JSON line")
    return parser.parse_args()


if __name__ == "__main__":
    main()

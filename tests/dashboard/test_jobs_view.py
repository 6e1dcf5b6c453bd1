"""The list of jobs: what is shown is what was asked for last."""

from playwright.sync_api import Page, expect

# As a slow network has it, whatever the page does about an answer that it no longer wants.
LATE_ABOUT_FAILED = """
const send = globalThis.fetch;
globalThis.fetch = async (address, options) => {
  const answer = await send(address, { ...options, signal: undefined });
  if (String(address).includes("state=failed")) {
    await new Promise((resolve) => setTimeout(resolve, 1500));
  }
  return answer;
};
"""


class TestJobs:
    def test_a_late_answer_about_another_state_is_not_shown(
        self, page: Page, finished_job: str
    ) -> None:
        page.add_init_script(LATE_ABOUT_FAILED)
        page.goto("/#/jobs")
        link = page.locator(f"main a[href='#/jobs/{finished_job}']")
        expect(link).to_be_visible()
        state = page.get_by_label("State", exact=True)
        state.select_option("failed")
        state.select_option("succeeded")
        expect(link).to_be_visible()
        page.wait_for_timeout(2000)
        expect(link).to_be_visible()
        expect(page.locator("main .badge").first).to_have_text("succeeded")

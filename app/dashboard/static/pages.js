// A list of the service shown page by page: never more than one page is held.

import { fill, h } from "./dom.js";
import { problem, waiting } from "./parts.js";

/**
 * Show the first page of `fetchPage(after)` and buttons to go on and back.
 * `render(items)` makes what is shown; `none` is shown instead of an empty first page.
 * Resolves when the first page stands.
 */
export async function paged(place, { what, fetchPage, render, none, signal }) {
  const before = []; // The cursor of each page that was left, to go back.
  const shown = h("div.stack", { "aria-live": "off" });
  const newer = h("button.small", { type: "button" }, "Back");
  const older = h("button.small", { type: "button" }, "Next");
  const position = h("span.muted.small");
  const foot = h("div.row", newer, older, position);
  let at = null;
  let next = null;

  async function show(cursor) {
    newer.disabled = older.disabled = true;
    try {
      const page = await fetchPage(cursor);
      if (signal?.aborted) return false;
      at = cursor;
      next = page.has_more ? page.last_id : null;
      const isEmpty = page.data.length === 0 && cursor === null;
      fill(shown, isEmpty ? none : render(page.data));
      foot.hidden = next === null && before.length === 0;
      position.textContent = `Page ${before.length + 1}`;
      newer.disabled = before.length === 0;
      older.disabled = next === null;
      return true;
    } catch (error) {
      if (signal?.aborted) return false;
      fill(shown, problem(error, { retry: () => show(cursor) }));
      foot.hidden = true;
      return false;
    }
  }

  older.addEventListener("click", async () => {
    before.push(at);
    if (!(await show(next))) before.pop();
    else if (older.disabled) newer.focus(); // A focused button that is disabled loses the focus.
  });
  newer.addEventListener("click", async () => {
    const cursor = before.pop();
    if (!(await show(cursor))) before.push(cursor);
    else if (newer.disabled) older.focus();
  });
  foot.hidden = true;
  fill(shown, waiting(what));
  fill(place, shown, foot);
  await show(null);
}

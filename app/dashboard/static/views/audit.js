// The label audit: what is odd among the pseudo-labels, mended by hand, and the next job from it.

import { get, part, post } from "../api.js";
import { append, fill, h } from "../dom.js";
import { count, plural } from "../format.js";
import { confirmDialog, during, empty, load } from "../parts.js";
import { corrections } from "../audit/corrections.js";
import { lists } from "../audit/lists.js";
import { tabs } from "../audit/tabs.js";
import { labelNames } from "../job/label_names.js";
import { sentOnce } from "../once.js";
import { go, link } from "../router.js";

const LISTED = 100;

export async function render(main, { id }, { signal }) {
  const place = h("div.stack");
  append(main, head(id), place);
  await load(place, "Reading the audit", () => body(id, { signal }), { signal });
}

function head(id) {
  return h(
    "div.head",
    h(
      "div",
      h("p.crumbs", h("a", { href: link("jobs", id) }, "Job"), " › Label audit"),
      h("h1", "Label audit"),
    ),
    h("a.button", { href: link("jobs", id, "report") }, "Report"),
  );
}

async function body(id, { signal }) {
  let audit;
  try {
    audit = await get(`/jobs/${part(id)}/audit`, { query: { limit: LISTED }, signal });
  } catch (error) {
    if (error.code !== "audit-not-ready" && error.code !== "no-result") throw error;
    return empty(
      "There is no audit",
      error.message,
      h("a.button", { href: link("jobs", id) }, "To the job"),
    );
  }
  const job = await get(`/jobs/${part(id)}`, { signal });
  const labels = await labelNames(job, { signal });
  const held = corrections(id);
  const narrow = (pair) => {
    found.open("likely_wrong", pair);
    found.element.querySelector("[role=tabpanel]").focus();
  };
  const found = tabs(lists(audit, { labels, held, narrow }), { label: "Lists of the audit" });
  found.element.addEventListener("keydown", moveOn);
  return [
    h(
      "p.lead",
      `${plural(audit.texts, "pseudo-label")} looked at, ${count(audit.read)} of them met by the student.`,
    ),
    h(
      "p.muted.keys",
      [
        ["j", "next text"],
        ["k", "the one before"],
        ["1", "right"],
        ["2", "suggested"],
        ["3", "another"],
        ["0", "undo"],
      ].map(([key, meaning]) => h("span", h("kbd", key), ` ${meaning}`)),
    ),
    found.element,
    bar(id, held, { signal }),
  ];
}

/** j and k go from text to text. */
function moveOn(event) {
  const step = { j: 1, k: -1 }[event.key];
  if (!step || event.target.tagName === "SELECT" || event.ctrlKey || event.metaKey) return;
  const all = [...event.currentTarget.querySelectorAll(".judged")];
  const at = all.indexOf(document.activeElement.closest(".judged"));
  const next = all[at + step] ?? (at < 0 ? all[0] : null);
  if (!next) return;
  event.preventDefault();
  next.focus();
  next.scrollIntoView({ block: "nearest" });
}

/** What was corrected so far, and the job that learns from it. */
function bar(id, held, { signal }) {
  const words = h("p", { role: "status" });
  const trouble = h("div");
  const start = h("button.primary", { type: "button" }, "Start the next job");
  const clear = h("button", { type: "button" }, "Forget them");
  const element = h(
    "div.correction-bar",
    { hidden: true },
    words,
    h("div.row", start, clear),
    trouble,
  );
  const once = sentOnce();
  start.addEventListener("click", () =>
    during(start, "Starting", () => startNext(id, held, { once, signal }), trouble),
  );
  clear.addEventListener("click", async () => {
    const text = `${plural(held.size, "correction")} of this job will be gone.`;
    if (await confirmDialog("Forget the corrections?", text, { action: "Forget them" }))
      held.clear();
  });
  const show = () => {
    element.hidden = held.size === 0;
    words.textContent =
      `${plural(held.size, "correction")}, kept in this browser. ` +
      "The next job learns from the same answers with these in their place; no teacher is asked.";
  };
  held.onChange(show, element);
  show();
  return element;
}

async function startNext(id, held, { once, signal }) {
  const asked = { from_job: id, corrections: held.list() };
  const next = await post("/jobs", asked, { headers: once.headers(asked) });
  held.clear();
  if (!signal.aborted) go("jobs", next.id);
}

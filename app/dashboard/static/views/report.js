// A job's report: how good its student is, against whom, and what it took.

import { post, saveBlob } from "../api.js";
import { announce, fill, h } from "../dom.js";
import { sentOnce } from "../once.js";
import { during, empty, load } from "../parts.js";
import { drawFigures, purgeFigures } from "../report/figure.js";
import { reportFile } from "../report/file.js";
import { gather } from "../report/gather.js";
import { renderReport } from "../report/render.js";
import { go, link } from "../router.js";

export async function render(main, { id }, { signal }) {
  const place = h("div.report");
  const actions = h("div.actions");
  const trouble = h("div");
  fill(main, head(id, actions), trouble, place);
  signal.addEventListener("abort", () => purgeFigures(place), { once: true });
  await load(place, "Reading the report", () => body(id, { actions, trouble, signal }), {
    signal,
    onShown: () => drawFigures(place, { signal }),
  });
}

function head(id, actions) {
  return h(
    "div.head",
    h(
      "div",
      h("p.crumbs", h("a", { href: link("jobs", id) }, "Job"), " › Report"),
      h("h1", "Report"),
    ),
    actions,
  );
}

async function body(id, { actions, trouble, signal }) {
  let told;
  try {
    told = await gather(id, { signal });
  } catch (error) {
    if (error.code !== "report-not-ready" && error.code !== "no-result") throw error;
    return notThere(id, error);
  }
  fill(actions, buttons(told, { trouble, signal }));
  const content = h("div.report-body");
  renderReport(content, told);
  return content;
}

function notThere(id, error) {
  const isLate = error.code === "report-not-ready";
  return empty(
    isLate ? "Not measured yet" : "There is no report",
    isLate ? "The report is there once the evaluate stage is done." : error.message,
    h("a.button", { href: link("jobs", id) }, "To the job"),
  );
}

function buttons(told, { trouble, signal }) {
  const { job, compared } = told;
  const keep = h("button.primary", { type: "button" }, "Download as one file");
  keep.addEventListener("click", () => during(keep, "Writing", () => download(told), trouble));
  const again = h("button", { type: "button" }, "Train one on all labels");
  const once = sentOnce();
  again.title = "Another student from the same answers, without a selection; no teacher is asked.";
  again.addEventListener("click", () =>
    during(again, "Starting", () => trainOnAll(job, { once, signal }), trouble),
  );
  const hasAll = compared.some((each) => each.selection.kind === "all");
  return [
    h("a.button", { href: link("jobs", job.id, "audit") }, "Label audit"),
    hasAll ? null : again,
    keep,
  ];
}

async function download(told) {
  const file = await reportFile(told);
  saveBlob(file, `${told.job.name}-report.html`);
  announce("The report was downloaded.");
}

async function trainOnAll(job, { once, signal }) {
  const asked = {
    from_job: job.id,
    selection: { kind: "all" },
    name: `${job.name.slice(0, 60)}-all`,
  };
  const started = await post("/jobs", asked, { headers: once.headers(asked) });
  if (!signal.aborted) go("jobs", started.id);
}

// Jobs: all that was asked for, the newest first, fresh while any of them is under way.

import { get } from "../api.js";
import { fill, h, setStyle } from "../dom.js";
import { ago, duration, score } from "../format.js";
import { badge, empty, problem, select, table, waiting } from "../parts.js";
import { link } from "../router.js";

const STATES = ["queued", "running", "succeeded", "failed", "cancelled"];
const REFRESH_MS = 3000;
const PAGE = 50;

const COLUMNS = [
  ["Job", (job) => h("a", { href: link("jobs", job.id) }, job.name), "wide"],
  ["State", (job) => badge(job.state)],
  ["Progress", progress, "wide"],
  ["Teacher", (job) => job.request.teacher?.kind ?? "–"],
  ["Macro-F1", (job) => score(job.metrics.macro_f1), "num"],
  ["Took", (job) => took(job), "num"],
  ["Asked", (job) => h("span.muted", ago(job.created_at)), "num"],
];

export async function render(main, { state = "" }, { signal }) {
  const list = h("div", waiting("Loading the jobs"));
  const chosen = select([["", "All states"], ...STATES.map((one) => [one, one])], { value: state, "aria-label": "State" });
  const more = h("button.small.start-self", { type: "button", hidden: true }, "Show more");
  let wanted = PAGE;
  fill(
    main,
    h("div.head", h("h1", "Jobs"), h("div.row", h("div", chosen), h("a.button.primary", { href: "#/new" }, "New job"))),
    h("section.panel", { "aria-label": "Jobs" }, list, more),
  );

  async function show({ signal: mine }) {
    const { jobs, hasMore } = await newest(wanted, { state: chosen.value, signal: mine });
    if (mine.aborted) return false;
    // The focus stays where it was, on the same job's link, and so does what is in sight.
    const focused = list.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
    const scrolled = list.querySelector(".scroll")?.scrollLeft ?? 0;
    fill(list, jobs.length ? table(COLUMNS, jobs, { caption: "Jobs" }) : nothing(chosen.value));
    if (focused) list.querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus({ preventScroll: true });
    if (scrolled) list.querySelector(".scroll")?.scrollTo(scrolled, 0);
    more.hidden = !hasMore;
    return jobs.some((job) => job.state === "queued" || job.state === "running");
  }

  let timer;
  let asking = new AbortController();
  const refresh = async () => {
    clearTimeout(timer);
    // A late answer about another state must not take the place of this one.
    asking.abort();
    asking = new AbortController();
    const mine = AbortSignal.any([asking.signal, signal]);
    try {
      const isMoving = await show({ signal: mine });
      if (isMoving && !mine.aborted) timer = setTimeout(refresh, REFRESH_MS);
    } catch (error) {
      if (!mine.aborted) fill(list, problem(error, { retry: refresh }));
    }
  };
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  chosen.addEventListener("change", refresh);
  more.addEventListener("click", () => {
    wanted += PAGE;
    refresh();
  });
  await refresh();
}

async function newest(wanted, { state, signal }) {
  const jobs = [];
  let after = null;
  let hasMore = true;
  while (jobs.length < wanted && hasMore) {
    const page = await get("/jobs", { query: { limit: PAGE, after, state }, signal });
    jobs.push(...page.data);
    hasMore = page.has_more;
    after = page.last_id;
  }
  return { jobs, hasMore };
}

function nothing(state) {
  if (state) return empty(`No job is ${state}`, "Choose another state to see the others.");
  return empty("No jobs yet", "A job has a teacher label your texts, and trains a small model on the answers.", h("a.button.primary", { href: "#/new" }, "New job"));
}

function progress(job) {
  if (job.state !== "running") return h("span.muted", job.state === "failed" ? (job.error?.title ?? "failed") : "–");
  const bar = h("i");
  const share = job.progress.percent ?? 0;
  setStyle(bar, { width: `${share}%` });
  const eta = job.progress.eta_seconds === null ? "" : `, ${duration(job.progress.eta_seconds)} left`;
  return h("div.stack.tight", h("span.small", `${job.stage ?? "starting"} · ${Math.round(share)} %${eta}`), h("div.meter", { "aria-hidden": "true" }, bar));
}

function took({ started_at: start, finished_at: end }) {
  if (!start) return "–";
  return duration((new Date(end ?? Date.now()) - new Date(start)) / 1000);
}

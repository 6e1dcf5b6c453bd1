// A job's stages in time: what is done, how far the present one is, how long it will take.

import { h } from "../dom.js";
import { count, duration, moment, percent } from "../format.js";
import { hasEnded } from "./follow.js";
import { LIVES, STAGES, STOPPED } from "./sentences.js";

/** {element, update}: update(job) writes into what is there; clocks go on by themselves. */
export function timeline({ signal }) {
  const bar = h("progress", { max: "100", value: "0", "aria-label": "Progress of the job" });
  const words = h("p.progress-words");
  const list = h("ol.timeline");
  const element = h("section.panel", { "aria-label": "Progress" }, bar, words, list);
  const stages = new Map();
  let job = null;

  const tick = () => {
    if (!job) return;
    say(words, sayProgress(job));
    for (const stage of job.stages) say(stages.get(stage.name)?.time, sayTime(stage));
  };
  const clock = setInterval(tick, 1000);
  signal.addEventListener("abort", () => clearInterval(clock), { once: true });

  const update = (now) => {
    job = now;
    const life = LIVES[job.purpose] ?? job.stages.map((each) => each.name);
    for (const name of life) if (!stages.has(name)) stages.set(name, addStage(list, name));
    for (const [name, shown] of stages) {
      const told = job.stages.find((each) => each.name === name);
      const state = told?.state ?? "ahead";
      if (shown.element.dataset.state !== state) {
        shown.element.dataset.state = state;
        shown.word.textContent = WORDS[state] ?? state;
      }
      if (state === "running") shown.element.setAttribute("aria-current", "step");
      else shown.element.removeAttribute("aria-current");
      say(shown.detail, told ? sayDetail(name, job) : "");
    }
    bar.value = job.progress.percent;
    tick();
  };
  return { element, update };
}

const WORDS = {
  ahead: "still to come",
  running: "now",
  succeeded: "done",
  failed: "failed",
  cancelled: "cancelled",
  waiting: "waits",
};

function addStage(list, name) {
  const [title, what] = STAGES[name] ?? [name, ""];
  const word = h("span.timeline-state");
  const time = h("span.muted");
  const detail = h("p.muted");
  const element = h("li", h("div.row", h("strong", title), word, time), h("p", what), detail);
  list.append(element);
  return { element, word, time, detail };
}

/** Change a text only where it differs: a selection in it, and a reader of it, are left alone. */
export function say(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

function sayTime({ started_at: start, finished_at: end }) {
  if (!start) return "";
  const seconds = ((end ? new Date(end) : Date.now()) - new Date(start)) / 1000;
  return duration(Math.max(0, Math.round(seconds)));
}

function sayProgress(job) {
  const { percent: done, eta_seconds: eta } = job.progress;
  if (job.state === "queued") {
    return job.waiting
      ? `Waits for its teacher until ${moment(job.waiting.until)}: ${job.waiting.detail}`
      : "Queued: a worker takes it up as soon as one is free.";
  }
  if (hasEnded(job)) {
    const took = job.started_at ? ` after ${lasted(job)}` : "";
    const why = job.stop_reason
      ? ` Training ended because ${STOPPED[job.stop_reason] ?? job.stop_reason}.`
      : "";
    return `${ENDINGS[job.state]}${took}.${why}`;
  }
  const left =
    eta === null ? "the time left is not known yet" : `about ${duration(Math.round(eta))} left`;
  return `${percent(done / 100, 0)} done, ${left}.`;
}

const ENDINGS = { succeeded: "Succeeded", failed: "Failed", cancelled: "Cancelled" };

const lasted = (job) =>
  duration(Math.round((new Date(job.finished_at) - new Date(job.started_at)) / 1000));

function sayDetail(name, { progress }) {
  const { teacher } = progress;
  if (name === "label" && teacher.asked !== null) {
    const missed = ["refused", "malformed", "too_long", "failed", "missing"]
      .filter((kind) => teacher[kind])
      .map((kind) => `${count(teacher[kind])} ${kind.replace("_", " ")}`);
    const stored = teacher.cached ? `, ${count(teacher.cached)} of them from earlier jobs` : "";
    return [
      `${count(teacher.answered)} of ${count(teacher.asked)} answered${stored}`,
      ...missed,
    ].join(" · ");
  }
  if (name === "train" && progress.step !== null) {
    const kept =
      progress.selected_fraction === null
        ? ""
        : ` · ${percent(progress.selected_fraction, 0)} of the texts kept`;
    return `batch ${count(progress.step)} of at most ${count(progress.steps)}${kept}`;
  }
  if (name === "predict" && progress.rows !== null) return `${count(progress.rows)} texts answered`;
  return "";
}

// Why a job failed, what to do about it, and where more is written.

import { fill, h } from "../dom.js";

const ADVICE = {
  "teacher-unusable":
    "Look at the events for what came back. Test the teacher with one call on its page, then try again: answers that were bought are kept.",
  "teacher-unavailable": "The teacher's server does not answer. Once it is up, try again.",
  "teacher-auth": "The key was refused. Give the teacher a new key, then try again.",
  "teacher-quota": "The account has nothing left. Once it has, try again: nothing is paid twice.",
  "insufficient-label-diversity":
    "The teacher gave nearly all texts one label. Look at the labels' descriptions and examples, or at the texts themselves.",
  "too-few-labels":
    "Add texts, or a larger budget, or look at the labels: each of two needs eight texts at least.",
  "deadline-exceeded": "Try again with more time in budget.max_wall_seconds; what is done is kept.",
  "worker-lost":
    "The worker died three times at the same place: mostly for want of memory. Its log says more. Try a smaller batch_size or max_length.",
};
const FALLBACK =
  "Try again: what was bought is kept. If it fails at the same place, the worker's log says more.";

/** {element, update}: nothing at all unless the job has failed. */
export function trouble() {
  const element = h("div");
  let shown = null;
  const update = ({ state, error, stage }) => {
    const code = state === "failed" ? (error?.code ?? "unknown") : null;
    if (code === shown) return;
    shown = code;
    fill(element, code === null ? null : notice(error ?? {}, stage));
  };
  return { element, update };
}

function notice(error, stage) {
  const code = error.code ?? "";
  return h(
    "div.notice.bad",
    { role: "alert" },
    h("strong", error.title ?? "The job failed"),
    h("p", error.detail ?? "It left no reason.", stage ? ` (stage: ${stage})` : null),
    h("p", h("strong", "What to do: "), ADVICE[code] ?? FALLBACK),
    error.type?.startsWith("/problems/")
      ? h("p", h("a", { href: error.type }, "What ", h("code", code), " means"))
      : null,
  );
}

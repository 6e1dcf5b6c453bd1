// The top of a job's page: what it is, how it stands, and what can be done about it.

import { post } from "../api.js";
import { announce, fill, h } from "../dom.js";
import { sentOnce } from "../once.js";
import { badge, confirmDialog, during } from "../parts.js";
import { go, link } from "../router.js";
import { hasEnded } from "./follow.js";

const PURPOSES = {
  distill: "Job",
  pilot: "Pilot",
  report_card: "Teacher's report card",
  predict: "Predictions",
};

/** {element, update}: update(job) changes what has changed and leaves the focus where it is. */
export function heading({ onChange, signal }) {
  const title = h("h1");
  const state = h("span");
  const kind = h("span");
  const actions = h("div.actions");
  const trouble = h("div");
  const element = h(
    "header.stack",
    h(
      "div.head",
      h(
        "div",
        h("p.crumbs", h("a", { href: link("jobs") }, "Jobs"), " › ", kind),
        h("div.row", title, state),
      ),
      actions,
    ),
    trouble,
  );
  let shown = null;
  let told = null;
  const update = (job) => {
    title.textContent = job.name;
    kind.textContent = PURPOSES[job.purpose] ?? job.purpose;
    document.title = `${job.name}: ${job.state} · LLKD`;
    const now = `${job.cancel_requested_at} ${job.model_id} ${isMeasured(job)} ${job.state}`;
    if (now === shown) return;
    // The first time there is no news; later a person who does not look is told.
    if (shown !== null && told !== job.state) announce(`The job is ${job.state}.`);
    shown = now;
    told = job.state;
    fill(state, badge(job.state));
    fill(actions, buttons(job, { trouble, onChange, signal }));
  };
  return { element, update };
}

const isMeasured = (job) =>
  job.stages.some((each) => each.name === "evaluate" && each.state === "succeeded");

function buttons(job, { trouble, onChange, signal }) {
  const canRetry = job.state === "failed" || job.state === "cancelled";
  return [
    isMeasured(job) && h("a.button.primary", { href: link("jobs", job.id, "report") }, "Report"),
    isMeasured(job) && h("a.button", { href: link("jobs", job.id, "audit") }, "Label audit"),
    job.model_id && job.purpose === "distill"
      ? h("a.button", { href: link("models", job.name) }, "Model")
      : null,
    canRetry && retryButton(job, { trouble, signal }),
    !hasEnded(job) && cancelButton(job, { trouble, onChange }),
  ];
}

function cancelButton(job, { trouble, onChange }) {
  if (job.cancel_requested_at) return h("span.muted", { role: "status" }, "Stopping …");
  const button = h("button.danger", { type: "button" }, "Cancel");
  button.addEventListener("click", async () => {
    const isSure = await confirmDialog(
      `Cancel ${job.name}?`,
      "It stops at its next heartbeat. The teacher's answers are kept: another job with the same " +
        "labels and teacher does not pay for them again.",
      { action: "Cancel this job" },
    );
    if (!isSure) return;
    await during(button, "Cancelling", () => post(`/jobs/${job.id}/cancel`), trouble);
    onChange();
  });
  return button;
}

function retryButton(job, { trouble, signal }) {
  const button = h("button.primary", { type: "button" }, "Try again");
  const once = sentOnce();
  button.addEventListener("click", async () => {
    const isSure = await confirmDialog(
      `Try ${job.name} again?`,
      "A new job asks for the same. Answers that were bought are found again and cost nothing.",
      { action: "Start the new job", kind: "primary" },
    );
    if (!isSure) return;
    const send = () => post(`/jobs/${job.id}/retry`, undefined, { headers: once.headers(job.id) });
    const again = await during(button, "Starting", send, trouble);
    if (again && !signal.aborted) go("jobs", again.id);
  });
  return button;
}

// What the job would take, kept fresh; the JSON and the curl that say the same; and the start.

import { heldKey } from "../key.js";
import { Problem, post } from "../api.js";
import { announce, fill, h } from "../dom.js";
import { count, duration, money, short } from "../format.js";
import { allow, copyButton, debounce, during, figures, problem } from "../parts.js";
import { sentOnce } from "../once.js";
import { go } from "../router.js";
import { pilot } from "./pilot.js";

const SETTLED_MS = 500;

export function outcome({ body, missing, root, signal }) {
  const estimate = h("div.stack.estimate", { "aria-live": "polite" });
  const refusal = h("div");
  const json = h("pre", { tabindex: "0", "aria-label": "JSON" });
  const curl = h("pre", { tabindex: "0", "aria-label": "curl" });
  const start = h("button.primary", { type: "button" }, "Start the job");
  let asking = new AbortController();
  const forecast = pilot({ body, signal });
  const once = sentOnce();

  async function refresh() {
    asking.abort();
    asking = new AbortController();
    const { signal: mine } = asking;
    estimate.classList.add("is-old");
    try {
      const told = await post("/jobs/estimate", body(), { signal: AbortSignal.any([mine, signal]) });
      if (mine.aborted || signal.aborted) return;
      markFaults(root, []);
      fill(estimate, shown(told));
    } catch (error) {
      if (mine.aborted || signal.aborted) return;
      if (error instanceof Problem) markFaults(root, error.errors);
      fill(estimate, problem(error, { retry: error instanceof Problem ? null : refresh }));
    }
    estimate.classList.remove("is-old");
  }
  const later = debounce(refresh, SETTLED_MS, { signal });

  start.addEventListener("click", () =>
    during(
      start,
      "Starting",
      async () => {
        const asked = body();
        const job = await post("/jobs", asked, { signal, headers: once.headers(asked) });
        announce("The job is queued.");
        go("jobs", job.id);
      },
      refusal,
    ),
  );

  return {
    element: h(
      "aside.panel.sticky",
      { "aria-labelledby": "takes" },
      h("h2#takes", "What it takes"),
      estimate,
      refusal,
      h("div.actions", start),
      forecast.element,
      h("details", h("summary", "The JSON that is sent"), h("div.stack", h("div", copyButton(() => json.textContent)), json)),
      h("details", h("summary", "The same with curl"), h("div.stack", h("div", copyButton(() => curl.textContent)), curl)),
    ),
    changed() {
      refusal.replaceChildren();
      forecast.changed();
      const lacking = missing();
      const told = body();
      json.textContent = JSON.stringify(told, null, 2);
      curl.textContent = curlOf(told);
      allow(start, lacking.length === 0);
      forecast.allow(lacking.length === 0);
      if (lacking.length) {
        asking.abort();
        estimate.classList.remove("is-old");
        fill(estimate, h("p.muted", "Still to do: ", lacking.join("; "), "."));
        later.cancel();
      } else {
        later();
      }
    },
  };
}

function shown(told) {
  const { teacher_calls: calls, cached, cost_usd: cost, seconds, steps, limit_seconds: limit } = told;
  return [
    figures([
      ["Calls to the teacher", spread(calls, count, short), cached?.expected ? `${count(cached.expected)} more are stored` : null],
      ["Money", cost === null ? "unknown" : spread(cost, money), cost === null ? "nobody has told this teacher's prices" : null],
      ["Time", seconds === null ? "unknown" : range(seconds.low, seconds.high, duration), seconds === null ? "no such job has ended here yet" : null],
      ["Texts", count(told.rows), told.evaluation_rows ? `${count(told.evaluation_rows)} more measure` : null],
      ["Training steps", range(steps.low, steps.high, count)],
      limit ? ["Server's limits add", spread(limit, duration)] : null,
    ]),
    h("p.hint", seconds ? `Time rests on ${seconds.basis}. ` : "", "Nothing is bought before the start."),
  ];
}

const range = (low, high, told) => (low === high ? told(low) : `${told(low)} – ${told(high)}`);

function spread({ low, expected, high }, told, brief = told) {
  return low === high ? told(expected) : h("span", `≈ ${told(expected)}`, h("span.muted.small", ` ${range(low, high, brief)}`));
}

/** The call as a shell takes it; a key is named, never shown. */
export function curlOf(body) {
  const quoted = JSON.stringify(body, null, 2).replaceAll("'", "'\\''");
  const key = heldKey() ? ['-H "Authorization: Bearer $LLKD_API_KEY"'] : [];
  return [`curl ${location.origin}/jobs`, ...key, "-H 'Content-Type: application/json'", `-d '${quoted}'`].join(" \\\n  ");
}

/** Mark the controls that an error's pointer names, and no others. */
function markFaults(root, errors) {
  for (const control of root.querySelectorAll("[data-pointer]")) {
    const fault = errors.find(({ pointer }) => control.dataset.pointer && pointer?.startsWith(control.dataset.pointer));
    if (fault) control.setAttribute("aria-invalid", "true");
    else control.removeAttribute("aria-invalid");
  }
}

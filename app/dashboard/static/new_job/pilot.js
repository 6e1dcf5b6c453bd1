// A pilot: a few answers are bought, to forecast what more of them would bring.

import { post } from "../api.js";
import { announce, fill, h } from "../dom.js";
import { badge, during } from "../parts.js";
import { link } from "../router.js";

/** {element, changed, allow}: `changed` forgets a pilot of another body, `allow` says whether one may start. */
export function pilot({ body, signal }) {
  const start = h("button.small", { type: "button" }, "Forecast from 300 answers");
  const outcome = h("div");
  start.addEventListener("click", () =>
    during(
      start,
      "Asking",
      async () => {
        const told = await post("/jobs/estimate", { ...body(), pilot: true }, { signal });
        fill(outcome, whereItIs(told.pilot));
        announce("The pilot is queued.");
      },
      outcome,
    ),
  );
  return {
    element: h(
      "div.stack",
      h("p.hint", "Not sure how many answers are worth their price? A pilot has the teacher answer 300 texts and forecasts macro-F1 by answers. The job itself does not buy these again."),
      h("div.actions", start),
      outcome,
    ),
    changed: () => outcome.replaceChildren(),
    allow(isAllowed) {
      start.disabled = !isAllowed;
    },
  };
}

// In a tab of its own: what was filled in here stays.
function whereItIs({ job_id: id, state }) {
  return h("p", badge(state), " ", h("a", { href: link("jobs", id), target: "_blank", rel: "noopener" }, "The pilot and its forecast"));
}

// What happened, newest first: a bounded list that grows without moving what is being read.

import { h } from "../dom.js";
import { sayEvent } from "./sentences.js";

// Older ones are in GET /jobs/{id}/events.
const MOST_SHOWN = 200;
const LOUD = new Set([
  "job.failed",
  "budget.reached",
  "budget.warning",
  "teacher.row_failed",
  "job.parked",
]);
// Many a second, and the charts show them better.
const QUIET = new Set([
  "train.metrics",
  "selection.updated",
  "checkpoint.saved",
  "teacher.progress",
]);

/** {element, add}: add(events) takes them in the order they came. */
export function eventList() {
  const list = h("ol.events", { tabindex: "0", "aria-label": "Events, newest first" });
  const all = h("input", { type: "checkbox" });
  all.addEventListener("change", () => list.classList.toggle("is-whole", all.checked));
  const element = h(
    "section.panel",
    h("header", h("h2", "Events"), h("label.check", all, "progress, too")),
    list,
  );
  const clock = new Intl.DateTimeFormat("en-GB", { timeStyle: "medium" });
  const line = (event) =>
    h(
      "li",
      { class: LOUD.has(event.type) ? "is-loud" : QUIET.has(event.type) ? "is-quiet" : null },
      h("time.muted", { datetime: event.at, title: event.at }, clock.format(new Date(event.at))),
      h("span", { title: event.type }, sayEvent(event)),
    );
  const add = (events) => {
    const some = events.slice(-MOST_SHOWN).reverse().map(line);
    list.prepend(...some);
    // Kinds apart: the many of a long training would push out what matters.
    trim(list, ".is-quiet");
    trim(list, ":not(.is-quiet)");
  };
  return { element, add };
}

function trim(list, kind) {
  const those = list.querySelectorAll(`:scope > ${kind}`);
  for (let at = MOST_SHOWN; at < those.length; at += 1) those[at].remove();
}

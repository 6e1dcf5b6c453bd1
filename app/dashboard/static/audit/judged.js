// One text with its pseudo-label, and the three things that a hand can do about it.

import { fill, h } from "../dom.js";
import { percent } from "../format.js";

const SHOWN_CHARACTERS = 2000; // Of a longer text, no more come.

/**
 * An element for a text {index, text, label, ...}; `suggested` is a likelier label, or null.
 *
 * Keys, while the focus is in it: 1 the label is right, 2 take the suggested one, 3 choose
 * another, 0 forget what was decided.
 */
export function judged(entry, { suggested = null, facts = [], labels, held }) {
  const state = h("span.judged-state", { role: "status" });
  const buttons = h("div.row.judged-actions");
  const element = h(
    "div.judged",
    { tabindex: "-1", dataset: { index: entry.index } },
    h("p.judged-text", entry.text, [...entry.text].length < SHOWN_CHARACTERS ? null : " …"),
    h(
      "p.muted",
      "labelled ",
      h("strong", entry.label),
      facts.length ? ` · ${facts.join(" · ")}` : null,
    ),
    buttons,
  );

  const decide = (label) => {
    if (!held.set(entry.index, label)) {
      state.textContent = "A job takes at most 1,000 corrections.";
      return;
    }
    show();
  };
  const forget = () => {
    held.drop(entry.index);
    show();
  };
  const right = button("1", `${entry.label} is right`, () => decide(entry.label));
  const other = suggested === null ? null : button("2", suggested, () => decide(suggested));
  const choose = button("3", "Another …", () => offer());
  const undo = button("0", "Undo", forget);
  fill(buttons, right, other, choose, undo, state);

  const offer = () => {
    const select = h(
      "select",
      { "aria-label": "The right label" },
      h("option", { value: "" }, "The right label …"),
      labels.map((label) => h("option", { value: label }, label)),
    );
    // Arrows change a closed select step by step: it stays until it is left.
    select.addEventListener("change", () => select.value && decide(select.value));
    select.addEventListener("blur", () => select.isConnected && select.replaceWith(choose), {
      once: true,
    });
    choose.replaceWith(select);
    select.focus();
  };
  const show = () => {
    const label = held.get(entry.index);
    element.classList.toggle("is-decided", label !== null);
    right.setAttribute("aria-pressed", String(label === entry.label));
    other?.setAttribute("aria-pressed", String(label === suggested));
    undo.hidden = label === null;
    state.textContent =
      label === null ? "" : label === entry.label ? "Confirmed." : `Corrected: ${label}.`;
  };
  element.addEventListener("keydown", (event) => {
    if (event.target.tagName === "SELECT" || event.ctrlKey || event.altKey || event.metaKey) return;
    const act = { 1: right, 2: other, 3: choose, 0: held.get(entry.index) === null ? null : undo }[
      event.key
    ];
    if (!act) return;
    event.preventDefault();
    act.click();
    if (event.key === "0") element.focus();
  });
  held.onChange(show, element);
  show();
  return element;
}

function button(key, text, act) {
  return h(
    "button.small",
    { type: "button", onclick: act, "aria-keyshortcuts": key },
    h("kbd", key),
    text,
  );
}

/** What speaks for a label and against it, in a few words. */
export function factsOf(entry) {
  const { teacher_confidence: taught, estimated_confidence: estimated } = entry;
  return [
    taught === null ? null : `teacher ${percent(taught, 0)} sure`,
    estimated === null ? null : `a cheap model ${percent(estimated, 0)}`,
    entry.student_label === null
      ? "the student never met it"
      : `the student said ${entry.student_label}, and agreed ${entry.agreed} of ${entry.readings} times`,
  ].filter(Boolean);
}

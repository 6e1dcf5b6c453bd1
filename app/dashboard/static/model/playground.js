// Type a text and see what one model, or two, make of it, and why one abstains.

import { part, post } from "../api.js";
import { fill, h, setStyle } from "../dom.js";
import { count, percent, plural, score } from "../format.js";
import { debounce, field, problem, select } from "../parts.js";

const TYPED_MS = 200;
const SHOWN_SCORES = 8;

export function playground({ signal }) {
  const text = h("textarea", { rows: "3", placeholder: "Where is my parcel?" });
  const threshold = h("input", { type: "range", min: "0", max: "1", step: "0.01", value: "0" });
  const told = h("output", "none");
  const low = select([
    ["abstain", "abstain"],
    ["return", "answer all the same"],
    ["teacher", "ask the model's teacher"],
  ]);
  const long = select([
    ["head", "its beginning"],
    ["head_tail", "beginning and end"],
    ["sliding_mean", "all, in windows"],
  ]);
  const answers = h("div.columns", { "aria-live": "polite" });
  let models = [];
  let asking = new AbortController();

  async function predict() {
    asking.abort();
    if (!text.value.trim()) {
      fill(answers, h("p.muted", "The scores of every label appear here as you type."));
      return;
    }
    asking = new AbortController();
    const mine = AbortSignal.any([asking.signal, signal]);
    const body = { input: text.value, on_low_confidence: low.value, long_texts: long.value };
    if (Number(threshold.value) > 0) body.threshold = Number(threshold.value);
    const shown = await Promise.all(models.map((model) => answerOf(model, body, { signal: mine })));
    if (!mine.aborted) fill(answers, shown);
  }
  const later = debounce(predict, TYPED_MS, { signal });

  // Every pause of the hand would have the teacher answer half a sentence, for money.
  const asksTeacher = () => low.value === "teacher" && Number(threshold.value) > 0;
  text.addEventListener("input", () => !asksTeacher() && later());
  text.addEventListener("change", () => asksTeacher() && predict());
  threshold.addEventListener("input", () => {
    told.textContent = Number(threshold.value) ? percent(Number(threshold.value), 0) : "none";
    later();
  });
  low.addEventListener("change", predict);
  long.addEventListener("change", predict);

  return {
    element: h(
      "section.panel",
      { "aria-labelledby": "play" },
      h("h2#play", "Playground"),
      field("Text", text),
      h("div.fields", field("Threshold", threshold, h("span", "The best score must reach: ", told)), field("Below it", low, "Its teacher is asked once you leave the text, and may cost money."), field("Of a long text, read", long)),
      answers,
    ),
    follow(chosen) {
      models = chosen;
      predict();
    },
  };
}

async function answerOf(model, body, { signal }) {
  const title = h("h3", `${model.name} · version ${model.version}`);
  try {
    const answer = await post(`/models/${part(model.id)}/predict`, body, { signal });
    return h("div.stack.answer", title, verdict(answer.data[0], body), bars(answer.data[0]), notes(answer.data[0], answer.usage));
  } catch (error) {
    return h("div.stack.answer", title, signal.aborted ? null : problem(error));
  }
}

function verdict(one, { threshold }) {
  if (one.abstained) {
    const best = one.scores[0];
    const reason = threshold === undefined ? "a threshold of the model" : `the threshold of ${percent(threshold, 0)}`;
    return h("p.verdict", h("strong", "Abstains"), h("span.muted", ` the best score, ${score(best.score)} for ${best.label}, is below ${reason}`));
  }
  const who = one.answered_by === "teacher" ? "the teacher" : "the student";
  return h("p.verdict", h("strong", one.label), h("span.muted", ` ${one.score === null ? "" : `${score(one.score)}, `}says ${who}`));
}

function bars(one) {
  const shown = one.scores.slice(0, SHOWN_SCORES);
  const rows = shown.map(({ label, score: value }) => {
    const bar = h("i");
    setStyle(bar, { width: `${value * 100}%` });
    return h("tr", { class: label === one.label ? "is-best" : null }, h("th", { scope: "row" }, label), h("td", h("div.meter", { "aria-hidden": "true" }, bar)), h("td.num", score(value)));
  });
  const rest = one.scores.length - shown.length;
  return [
    h("table.scores", h("caption.unseen", "Scores, best first"), h("tbody", rows)),
    rest > 0 ? h("p.hint", `${plural(rest, "label")} more, none above ${score(one.scores[SHOWN_SCORES].score)}`) : null,
  ];
}

const DEFERRED = {
  answered: "The teacher was asked and answered.",
  cached: "The teacher's answer was stored already.",
  refused: "The teacher refused to answer.",
  malformed: "The teacher's answer was none of the labels.",
  too_long: "The text is too long for the teacher.",
  blank: "A blank text is not put to the teacher.",
  budget: "The budget for asking the teacher is spent.",
  timeout: "The teacher did not answer in time.",
  busy: "The teacher is busy.",
  failed: "The teacher could not be asked.",
};

function notes(one, usage) {
  const told = [
    one.truncated ? "The text was too long: its end was not read." : null,
    one.windows > 1 ? `Read in ${count(one.windows)} windows.` : null,
    one.empty_input ? "The text is blank: these are the model's prior scores." : null,
    one.deferral ? (DEFERRED[one.deferral] ?? `Teacher: ${one.deferral}.`) : null,
    `${plural(usage.tokens, "token")} read.`,
  ];
  return h("p.hint", told.filter(Boolean).join(" "));
}

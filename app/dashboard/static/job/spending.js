// What a job has spent of its budget, and what it was asked with.

import { fill, h, setStyle } from "../dom.js";
import { count, money } from "../format.js";
import { copyButton } from "../parts.js";
import { link } from "../router.js";
import { say } from "./timeline.js";

/** {element, update}: money and calls with their caps, tokens, and the request. */
export function spending() {
  const parts = {
    usd: part("Money"),
    calls: part("Calls of the teacher"),
    tokens: part("Tokens, in and out"),
  };
  const origin = h("p.muted");
  const request = h("pre");
  const element = h(
    "section.panel",
    h("h2", "Spent, and asked for"),
    h(
      "dl.figures",
      Object.values(parts).map((each) => each.element),
    ),
    origin,
    h(
      "details",
      h("summary", "The whole request"),
      h(
        "div.stack",
        request,
        h(
          "div",
          copyButton(() => request.textContent),
        ),
      ),
    ),
  );
  let isFirst = true;
  const update = ({ usage, request: asked, from_job: parent, dataset_id: dataset }) => {
    const budget = asked.budget ?? {};
    parts.usd.update(money(usage.cost_usd), usage.cost_usd, budget.max_usd, money);
    parts.calls.update(
      count(usage.teacher_calls),
      usage.teacher_calls,
      budget.max_teacher_calls,
      count,
    );
    const tokens =
      !usage.input_tokens && !usage.output_tokens
        ? "–"
        : `${count(usage.input_tokens)} + ${count(usage.output_tokens)}`;
    parts.tokens.update(tokens, 0, null, count);
    if (!isFirst) return;
    isFirst = false;
    request.textContent = JSON.stringify(asked, null, 2);
    fill(
      origin,
      "Texts: ",
      h("a", { href: link("data", dataset) }, "the dataset"),
      parent
        ? [". Answers: those of ", h("a", { href: link("jobs", parent) }, "an earlier job")]
        : null,
      ".",
    );
  };
  return { element, update };
}

function part(name) {
  const figure = h("dd");
  const bar = h("i");
  const meter = h("dd.meter", { hidden: true }, bar);
  const note = h("dd.muted");
  const element = h("div", h("dt", name), figure, meter, note);
  const update = (told, value, cap, format) => {
    say(figure, told);
    meter.hidden = cap === null || cap === undefined;
    if (meter.hidden) return;
    setStyle(bar, { width: `${Math.min(100, cap ? (100 * value) / cap : 0).toFixed(1)}%` });
    say(note, `of at most ${format(cap)}`);
  };
  return { element, update };
}

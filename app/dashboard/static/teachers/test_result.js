// What a one-call test of a stored teacher found.

import { h } from "../dom.js";
import { ago, count, duration } from "../format.js";

const SOURCES = {
  logprobs: "token probabilities",
  votes: "votes of several answers",
  verbalised: "what it says of itself",
  none: "none",
};

export function testResult(test) {
  if (!test.ok) {
    return h(
      "div.notice.bad",
      { role: "alert" },
      h("strong", `It cannot teach as it is (${test.failure?.code ?? "failed"})`),
      h("p", test.failure?.message ?? "The test failed."),
      test.status ? h("p.muted", `The server answered ${test.status}.`) : null,
    );
  }
  const source = SOURCES[test.rung] ?? test.rung;
  return h(
    "div.notice.good",
    { role: "status" },
    h("strong", "It answers"),
    h("p", `${test.model ?? "The model"} took ${duration((test.latency_ms ?? 0) / 1000)} for an answer of ${count(test.output_tokens)} tokens; confidence: ${source}.`),
    h("p.muted.small", `Tested ${ago(test.tested_at)}.`),
  );
}

// Who labels the texts: a local model, answers made elsewhere, a stored connection, or any by JSON.

import { part, post } from "../api.js";
import { fill, h, uid } from "../dom.js";
import { plural } from "../format.js";
import { during, field, select } from "../parts.js";
import { testResult } from "../teachers/test_result.js";

const RAW_EXAMPLE = '{"kind": "huggingface", "model": "local/qwen"}';

export function teacherPicker({ teachers, dataset, changed, signal }) {
  const group = uid("teacher");
  const details = h("div.stack");
  const choices = [
    ["few_shot", "Few-shot", "A local embedding model with your labels' descriptions and examples. No key, no network."],
    ["zero_shot", "Zero-shot", "A local model that reads only names and descriptions. No key, no network."],
    ["provided", "Answers in the data", "What a language model answered elsewhere, in columns of the dataset."],
    ...teachers.map((one) => [one.id, one.name, `${one.model} at ${hostOf(one.base_url)}`]),
    ["raw", "Another, as JSON", "A local language model, an ensemble, a server that is not stored: any teacher of the API."],
  ];
  const forms = new Map();
  const radios = choices.map(([key, name, text]) => {
    const radio = h("input", { type: "radio", name: group, value: key, onchange: () => open() });
    const hint = h("span.hint", text);
    return { key, radio, hint, element: h("label.choice", radio, h("span", h("strong", name), hint)) };
  });
  const chosen = () => radios.find((one) => one.radio.checked)?.key ?? "few_shot";
  const formOf = (key) => {
    if (!forms.has(key)) forms.set(key, makeForm(key, { teachers, changed, signal }));
    return forms.get(key);
  };
  const open = () => {
    fill(details, formOf(chosen()).element);
    changed();
  };

  return {
    element: h(
      "section.panel",
      { "aria-labelledby": "teacher" },
      h("header", h("h2#teacher", "3 · Teacher"), h("a.small", { href: "#/teachers" }, "Store a connection")),
      h("div.choices", { role: "radiogroup", "aria-labelledby": "teacher" }, radios.map((one) => one.element)),
      details,
    ),
    value: () => {
      const teacher = formOf(chosen()).value();
      return teacher ? { teacher } : {};
    },
    missing: () => formOf(chosen()).missing?.() ?? [],
    follow: () => {
      const answers = dataset().statistics.teacher_answers;
      const provided = radios.find((one) => one.key === "provided");
      provided.radio.disabled = answers === 0;
      provided.hint.textContent = answers
        ? `${plural(answers, "answer")} of a language model, in the dataset's columns.`
        : "This dataset has none: name the teacher's columns when you upload it.";
      const isLost = provided.radio.checked && answers === 0;
      if (isLost || !radios.some((one) => one.radio.checked)) {
        radios.find((one) => one.key === (answers ? "provided" : "few_shot")).radio.checked = true;
      }
      open();
    },
  };
}

function makeForm(key, context) {
  switch (key) {
    case "few_shot":
    case "zero_shot":
      return localForm(key, context);
    case "provided":
      return { element: null, value: () => ({ kind: "provided" }) };
    case "raw":
      return rawForm(context);
    default:
      return storedForm(context.teachers.find((one) => one.id === key), context);
  }
}

function localForm(kind, { changed }) {
  const model = h("input", { placeholder: "minilm", oninput: changed, "data-pointer": "/teacher/model" });
  return {
    element: h("details", h("summary", "Another model"), field("Model", model, "`minilm`, or local/NAME: a folder that the operator put there. Empty: minilm.")),
    value: () => ({ kind, ...(model.value.trim() ? { model: model.value.trim() } : {}) }),
  };
}

function storedForm(stored, { changed, signal }) {
  const confidence = select(
    [["auto", "the best that it offers"], ["logprobs", "token probabilities"], ["votes", "votes of several answers"], ["verbalised", "what it says of itself"], ["none", "none"]],
    { onchange: changed, "data-pointer": "/teacher/confidence" },
  );
  const result = h("div", stored.last_test ? testResult(stored.last_test) : null);
  const test = h("button", { type: "button" }, "Test with one call");
  test.addEventListener("click", () =>
    during(test, "Asking", async () => fill(result, testResult(await post(`/teachers/${part(stored.id)}/test`, undefined, { signal }))), result),
  );
  return {
    element: h("div.stack", h("div.fields", field("Confidence from", confidence)), h("div.row", test), result),
    value: () => ({ kind: "openai", teacher_id: stored.id, ...(confidence.value === "auto" ? {} : { confidence: confidence.value }) }),
  };
}

function rawForm({ changed }) {
  const text = h("textarea.mono", { rows: "4", placeholder: RAW_EXAMPLE, spellcheck: "false", oninput: changed, "data-pointer": "/teacher" });
  const read = () => {
    try {
      const value = JSON.parse(text.value);
      return value && typeof value === "object" && !Array.isArray(value) ? value : null;
    } catch {
      return null;
    }
  };
  return {
    element: field("Teacher as JSON", text, "As `teacher` in POST /jobs; /docs lists every kind."),
    value: read,
    missing: () => (read() ? [] : ["write the teacher as a JSON object"]),
  };
}

function hostOf(url) {
  try {
    return new URL(url).host;
  } catch {
    return url;
  }
}

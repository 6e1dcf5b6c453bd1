// The versions of a name: take one away as files, or delete it.

import { call, download, part } from "../api.js";
import { append, fill, h } from "../dom.js";
import { ago, bytes, score } from "../format.js";
import { confirmDialog, during, problem, table } from "../parts.js";
import { go, reload } from "../router.js";

export function versionPanel({ name, versions }) {
  const result = h("div");

  const fetchFile = (one, format) => {
    const button = h("button.small", { type: "button", "aria-label": `Export version ${one.version} as ${format}` }, format);
    button.addEventListener("click", () =>
      during(
        button,
        "Fetching",
        async () => {
          const size = await download(`/models/${part(one.id)}/export`, `${name}-${one.version}-${format}.tar`, { query: { format }, headers: { Accept: "application/x-tar, application/problem+json" } });
          fill(result, h("p.muted", { role: "status" }, `Version ${one.version} came as ${bytes(size)}.`));
        },
        result,
      ),
    );
    return button;
  };

  const erase = async (one) => {
    const aliases = one.aliases.length ? ` Its aliases (${one.aliases.join(", ")}) have to point elsewhere first.` : "";
    if (!(await confirmDialog(`Delete version ${one.version}?`, `Its files are erased and it answers no more.${aliases}`))) return;
    try {
      await call("DELETE", `/models/${part(one.id)}`);
      if (versions.length > 1) reload();
      else go("models");
    } catch (error) {
      fill(result, problem(error));
    }
  };

  const columns = [
    ["Version", (one) => one.version, "num"],
    ["Export", (one) => h("span.row.tight", fetchFile(one, "onnx"), fetchFile(one, "safetensors"))],
    ["Macro-F1", (one) => score(one.metrics.macro_f1), "num"],
    ["Size", (one) => bytes(one.size_bytes), "num"],
    ["Made", (one) => h("span.muted", ago(one.created_at)), "keep"],
    ["", (one) => h("button.small.danger", { type: "button", "aria-label": `Delete version ${one.version}`, onclick: () => erase(one) }, "Delete")],
  ];
  return append(
    h("section.panel", { "aria-labelledby": "versions" }),
    h("h2#versions", "Versions"),
    table(columns, versions, { caption: "Versions" }),
    result,
  );
}

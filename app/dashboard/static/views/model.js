// One model name: its versions and aliases, a playground for one or two of them, drift, export.

import { all } from "../api.js";
import { fill, h } from "../dom.js";
import { moment } from "../format.js";
import { empty, field, select, waiting } from "../parts.js";
import { aliasPanel } from "../model/aliases.js";
import { comparison } from "../model/compare.js";
import { driftPanel } from "../model/drift.js";
import { playground } from "../model/playground.js";
import { versionPanel } from "../model/versions.js";

export async function render(main, { name }, { signal }) {
  const crumbs = h("p.crumbs", h("a", { href: "#/models" }, "Models"));
  fill(main, crumbs, h("h1", name), waiting("Loading its versions"));
  const [versions, newest] = await Promise.all([all("/models", { query: { name }, signal }), all("/models", { signal })]);
  versions.sort((one, other) => other.version - one.version);
  if (!versions.length) {
    fill(main, crumbs, h("h1", name), empty("No version of this model is left", "It was deleted, or never made.", h("a.button", { href: "#/models" }, "All models")));
    return;
  }
  show(main, { crumbs, name, versions, newest, signal });
}

function show(main, { crumbs, name, versions, newest, signal }) {
  const others = [...versions, ...newest.filter((one) => one.name !== name)];
  const byId = new Map(others.map((one) => [one.id, one]));
  const first = select(versions.map((one) => [one.id, titled(one)]), { value: versions[0].id });
  const second = select([["", "nothing"], ...others.map((one) => [one.id, versionOf(one)])]);
  const compared = h("div");
  const play = playground({ signal });
  const drift = driftPanel({ signal });
  const follow = () => {
    const chosen = [byId.get(first.value), byId.get(second.value)].filter(Boolean);
    fill(compared, comparison(chosen));
    play.follow(chosen);
    drift.follow(chosen);
  };
  // The choice stays; only its words are others.
  const rename = () => {
    for (const option of first.options) option.textContent = titled(byId.get(option.value));
    for (const option of [...second.options].slice(1)) option.textContent = versionOf(byId.get(option.value));
  };
  first.addEventListener("change", follow);
  second.addEventListener("change", follow);
  fill(
    main,
    h("div.head", h("div", crumbs, h("h1", name), h("p.muted.small", `Newest: version ${versions[0].version}, ${moment(versions[0].created_at)}`))),
    h("section.panel", { "aria-label": "Which versions" }, h("div.fields", field("Version", first), field("Compare with", second))),
    play.element,
    h("section.panel", { "aria-labelledby": "figures" }, h("h2#figures", "Figures"), compared),
    drift.element,
    h("div.split.to-end", aliasPanel({ name, versions, onChange: rename, signal }), versionPanel({ name, versions })),
  );
  follow();
}

const versionOf = (one) => `${one.name} ${titled(one)}`;
const titled = (one) => `version ${one.version}${one.aliases.length ? ` (${one.aliases.join(", ")})` : ""}`;

// New job: what to learn from, what a text can be, who teaches; what it will take, and the call.

import { all, get, part } from "../api.js";
import { fill, h } from "../dom.js";
import { count, plural } from "../format.js";
import { empty, field, select, waiting } from "../parts.js";
import { labelEditor } from "../new_job/labels.js";
import { outcome } from "../new_job/outcome.js";
import { settings } from "../new_job/settings.js";
import { teacherPicker } from "../new_job/teacher.js";

export async function render(main, { dataset: asked }, { signal }) {
  fill(main, h("h1", "New job"), waiting("Loading the data and teachers"));
  const [datasets, teachers] = await Promise.all([all("/datasets", { signal }), all("/teachers", { signal })]);
  if (asked && !datasets.some((one) => one.id === asked)) datasets.unshift(await get(`/datasets/${part(asked)}`, { signal }));
  if (!datasets.length) {
    fill(main, h("h1", "New job"), empty("There is no data to learn from yet", "Upload some texts first; the job is made from them.", h("a.button.primary", { href: "#/data" }, "Upload data")));
    return;
  }
  show(main, { datasets, teachers, asked, signal });
}

function show(main, { datasets, teachers, asked, signal }) {
  const byId = new Map(datasets.map((one) => [one.id, one]));
  const chosen = select(datasets.map((one) => [one.id, `${one.name} (${plural(one.statistics.unique, "text")})`]), { value: asked ?? datasets[0].id });
  chosen.dataset.pointer = "/dataset_id";
  const facts = h("p.hint");
  const dataset = () => byId.get(chosen.value);
  const changed = () => result.changed();
  const labels = labelEditor({ dataset, changed, signal });
  const teacher = teacherPicker({ teachers, dataset, changed, signal });
  const rest = settings({ datasets, dataset, changed });
  const body = () => ({
    ...rest.value(),
    dataset_id: chosen.value,
    labels: labels.value(),
    ...teacher.value(),
    ...rest.extra(),
  });
  const result = outcome({ body, missing: () => [...labels.missing(), ...teacher.missing(), ...rest.missing()], root: main, signal });
  const follow = () => {
    const { statistics: stats } = dataset();
    const gold = stats.gold ? `gold labels for ${plural(sum(stats.gold), "text")}` : "no gold labels";
    const answers = stats.teacher_answers ? `, ${plural(stats.teacher_answers, "teacher's answer")}` : "";
    facts.textContent = `${count(stats.unique)} different texts, ${gold}${answers}.`;
    labels.follow();
    teacher.follow();
    rest.follow();
    changed();
  };
  chosen.addEventListener("change", follow);
  fill(
    main,
    h("div.head", h("div", h("h1", "New job"), h("p.lead", "A teacher labels the texts; a small model learns from the answers that are worth it."))),
    h(
      "div.split",
      h(
        "div.stack.wide-gap",
        h("section.panel", { "aria-labelledby": "from" }, h("h2#from", "1 · Texts"), field("Dataset", chosen), facts),
        labels.element,
        teacher.element,
        rest.element,
      ),
      result.element,
    ),
  );
  follow();
}

const sum = (amounts) => Object.values(amounts).reduce((total, amount) => total + amount, 0);

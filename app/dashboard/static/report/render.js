// A report as a person reads it: the same sections in the page and in the file that is kept.

import { fill, h } from "../dom.js";
import { moment } from "../format.js";
import { table } from "../parts.js";
import { confusionSection } from "./confusion.js";
import { cascadeSection, costSection } from "./costs.js";
import { comparisonSection, headlineSection } from "./headline.js";
import { labelSection, reliabilitySection } from "./labels.js";
import { disagreementSection, efficiencySection } from "./learning.js";
import { gaps } from "./wording.js";

/**
 * Put a report into a container; the charts stay empty until somebody draws them.
 *
 * `told` is what `gather` brings: {report, job, compared, disagreements}.
 */
export function renderReport(container, told) {
  return fill(
    container,
    headlineSection(told),
    comparisonSection(told),
    labelSection(told),
    confusionSection(told),
    reliabilitySection(told),
    efficiencySection(told),
    disagreementSection(told),
    costSection(told),
    cascadeSection(told),
    gapSection(told),
    sourceSection(told),
  );
}

function gapSection(told) {
  return h(
    "section.panel",
    h("h2", "What was not measured"),
    table(
      [
        ["What", ([what]) => what],
        ["Why", ([, why]) => why, "text"],
      ],
      gaps(told),
      { caption: "What was not measured, and why" },
    ),
  );
}

function sourceSection({ job, report }) {
  return h(
    "section.panel",
    h("h2", "How it was made"),
    h(
      "p",
      `Job ${job.id}, asked for on ${moment(job.created_at)}. Teacher: ${report.teacher.kind}. ` +
        `Selection: ${report.selection.kind}. Every figure is in `,
      h("code", `GET /jobs/${job.id}/report`),
      ".",
    ),
    h("details", h("summary", "The whole request"), h("pre", JSON.stringify(job.request, null, 2))),
  );
}

// What the figures say, in whole sentences that claim no more than was measured.

import { count, percent } from "../format.js";

/** A share as points of a hundred. */
export const points = (value) => (100 * value).toFixed(1);

/** A figure with its 95 % interval. */
export const withInterval = ({ value, low, high }) =>
  `${points(value)} (${points(low)}–${points(high)})`;

/** Whether two intervals have nothing in common. */
export const areApart = (one, other) => one.high < other.low || other.high < one.low;

/** The first sentence of a report. */
export function headline(report) {
  const { teacher, student } = report;
  if (student.evaluation && teacher.evaluation?.accuracy) {
    return (
      `The student is right on ${percent(student.evaluation.accuracy.value)} of the texts, ` +
      `its teacher on ${percent(teacher.evaluation.accuracy.value)}.`
    );
  }
  if (student.evaluation) {
    return `The student is right on ${percent(student.evaluation.accuracy.value)} of the texts.`;
  }
  return "How often the student is right is not known: no text has a gold label.";
}

/** What follows it: the difference and how far to trust it, the agreement, the effort. */
export function explanation(report) {
  return [difference(report), agreement(report), effort(report), byHand(report)].filter(Boolean);
}

function difference({ teacher, student, gold_rows: rows }) {
  if (!student.evaluation || !teacher.evaluation) return null;
  const [own, taught] = [student.evaluation.macro_f1, teacher.evaluation.macro_f1];
  const gap = own.value - taught.value;
  const side = gap < 0 ? "below" : "above";
  const trust = areApart(own, taught)
    ? `The intervals are apart: ${count(rows)} texts are enough to tell the two from each other.`
    : `The intervals overlap: on ${count(rows)} texts, do not read much into the difference.`;
  return (
    `In macro-F1, where every label counts alike, it has ${withInterval(own)} and its teacher ` +
    `${withInterval(taught)}: ${points(Math.abs(gap))} points ${side} its teacher. ${trust}`
  );
}

function agreement({ student }) {
  const measured = student.evaluation?.agreement_with_teacher;
  if (measured !== null && measured !== undefined) {
    return `It says what its teacher says on ${percent(measured)} of these texts.`;
  }
  const held = student.held_out_agreement;
  if (!held) return null;
  return (
    `On ${count(held.rows)} texts that it was not trained on it says what its teacher says on ` +
    `${percent(held.value)}. That is a hopeful figure: these texts decided when training stopped.`
  );
}

function effort({ training, selection }) {
  return (
    `It learned from ${count(training.unique_samples)} of ${count(training.pool)} texts ` +
    `(${percent(selection.unique_fraction, 0)}), in ${count(training.steps)} steps.`
  );
}

function byHand({ corrections }) {
  if (!corrections?.rows) return null;
  return `A person gave ${count(corrections.rows)} of the labels that it learned from, and changed ${count(corrections.changed)} with this job.`;
}

const NO_CASCADE = {
  not_exported: "the model is not registered yet.",
  no_texts: "the request asked for no certification, and no text that measures has an answer.",
  too_few_texts: "fewer than 40 texts are left that the student has not learned from.",
  parent_texts_unknown:
    "the dataset of a parent was deleted, so nobody can tell what the student has learned from.",
  not_made: "the job was made by a release that knew none.",
};

const NOT_CALIBRATED = {
  not_wanted: "the request asked for none.",
  no_confidence: "the teacher gave no confidence.",
  no_probabilities: "the teacher gave no probabilities.",
  no_content_free_answers: "the teacher gave no answers to empty texts.",
  too_little_gold: "fewer than 50 texts that are trained on have a gold label.",
  no_gain: "nothing that was tried made them truer.",
};

/** What was not measured, and why: [[what, why], ...]. */
export function gaps({ report, compared, disagreements }) {
  const { teacher, cost } = report;
  const calibration = teacher.calibration;
  return [
    !report.student.evaluation && [
      "Whether teacher and student are right",
      "no text has a gold label. Fifty give a first idea; a few hundred tell small differences.",
    ],
    calibration?.method === "none" && [
      "A calibration of the teacher's confidences",
      NOT_CALIBRATED[calibration.reason] ?? `${calibration.reason}.`,
    ],
    report.no_cascade && [
      "When the student may answer in its teacher's place",
      NO_CASCADE[report.no_cascade] ?? `${report.no_cascade}.`,
    ],
    !compared.some((each) => each.selection.kind === "all") && [
      "A student of all labels",
      "no other job has used these answers without a selection.",
    ],
    !report.data_efficiency?.length && [
      "How the score grew with what was learned from",
      "nobody looked at a held-out slice during this training, or an earlier release made it.",
    ],
    disagreements === null && [
      "Where the two disagree",
      "nothing was compared, its texts are deleted, or an earlier release made the job.",
    ],
    cost &&
      cost.teacher.usd === null && [
        "What the teacher's answers cost in money",
        "it has no price by the call, or nothing was bought.",
      ],
    cost &&
      cost.teacher.seconds === null && [
        "How long the teacher takes",
        "most answers were there before, or the stage was interrupted.",
      ],
    cost &&
      cost.student.core_seconds === null && [
        "How long the student takes",
        "no engine was measured on the worker's machine.",
      ],
    !report.forecast && ["Whether a forecast came true", "no pilot was made for this job."],
    ["The day after", "texts that come later may differ from these; nothing here speaks of them."],
  ].filter(Boolean);
}

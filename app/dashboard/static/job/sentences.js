// What the job does, in plain words: one sentence a frame, a stage and an event.

import { count, percent } from "../format.js";

const RULES = {
  all: () => "this job trains on every pseudo-label, whatever teacher and student think.",
  random: () => "this job draws its texts by lot.",
  class_confidence: () => "the teacher is sure enough for the label it gave.",
  teacher_confidence: () => "the teacher is sure; the student is not asked.",
  student_uncertainty: () => "the student is unsure; how sure the teacher is does not count.",
  freematch: () => "the student itself is sure enough for their label.",
};

/** What was kept of a frame's texts, and why. */
export function sayKept(frame, selection) {
  const head = `Kept ${count(frame.kept)} of ${count(frame.seen)}: `;
  if (selection !== "llkd") return head + (RULES[selection]?.() ?? "as the selection asks.");
  if (frame.kept === 0) {
    return `${head}there is no text here that the teacher is sure of and the student is not.`;
  }
  return `${head}the teacher is sure of them, and the student is not yet.`;
}

/** What the other three quadrants mean for LLKD, with their counts. */
export function sayPassedOver({ confident_certain, doubtful_uncertain, doubtful_certain }) {
  return (
    `Passed over: ${count(confident_certain)} that both are sure of, where there is little left ` +
    `to learn, and ${count(doubtful_uncertain + doubtful_certain)} that the teacher doubts ` +
    `itself, where its label may be wrong.`
  );
}

export const QUADRANTS = [
  ["confident_uncertain", "Teacher sure, student unsure", "what LLKD learns from"],
  ["confident_certain", "Both sure", "already learned"],
  ["doubtful_uncertain", "Neither sure", "too hard for both"],
  ["doubtful_certain", "Only the student sure", "the teacher doubts itself"],
];

export const STAGES = {
  label: ["Label", "The teacher labels the texts"],
  train: ["Train", "The student learns where it pays"],
  evaluate: ["Evaluate", "Teacher and student are measured"],
  export: ["Export", "The model is written, checked and registered"],
  forecast: ["Forecast", "What more answers would bring"],
  report_card: ["Report card", "The teacher is put to a few texts"],
  predict: ["Predict", "A model answers the dataset"],
};

export const LIVES = {
  distill: ["label", "train", "evaluate", "export"],
  pilot: ["label", "forecast"],
  report_card: ["report_card"],
  predict: ["predict"],
};

export const STOPPED = {
  completed: "all passes were made",
  early_stopping: "there was nothing more to gain",
  budget: "the budget was reached, and some texts were left out",
  time: "the time for labelling was over, and some texts were left out",
};

const share = (value) => percent(value, 0);

const EVENTS = {
  "job.queued": () => "Queued",
  "job.started": (d) => `A worker took it up (attempt ${d.attempt})`,
  "job.requeued": (d) => `Back in the queue: ${words(d.reason)}`,
  "job.parked": (d) => `Waits for its teacher: ${words(d.reason)}`,
  "job.cancel_requested": () => "Asked to stop",
  "job.succeeded": () => "Succeeded",
  "job.failed": (d) => `Failed: ${d.error?.detail ?? words(d.reason)}`,
  "job.cancelled": () => "Cancelled",
  "stage.started": (d) => `${STAGES[d.stage]?.[0] ?? d.stage} began`,
  "stage.finished": (d) => `${STAGES[d.stage]?.[0] ?? d.stage} is done`,
  "teacher.progress": (d) =>
    `${count(d.answered)} of ${count(d.asked)} texts answered` +
    (d.cached ? `, ${count(d.cached)} of them from earlier jobs` : ""),
  "teacher.row_failed": (d) => `No answer for a text: ${words(d.code ?? d.reason ?? "failed")}`,
  "train.metrics": (d) =>
    `Step ${count(d.step)}` +
    (d.loss == null ? "" : ` · loss ${d.loss.toFixed(3)}`) +
    (d.held_out_score == null ? "" : ` · held-out macro-F1 ${share(d.held_out_score)}`),
  "selection.updated": (d) =>
    `Step ${count(d.step)} · ${share(d.selected_fraction)} kept · ` +
    `${count(d.unique_samples)} different texts so far`,
  "evaluation.metrics": (d) =>
    d.macro_f1 == null ? "Measured" : `Measured: macro-F1 ${share(d.macro_f1)}`,
  "predict.progress": (d) => `${count(d.rows)} of ${count(d.of)} texts answered`,
  "checkpoint.saved": (d) => `Checkpoint at step ${count(d.step)}`,
  "budget.warning": () => "Four fifths of the budget are spent",
  "budget.reached": (d) => `Budget reached: ${words(d.stop_reason ?? "budget")}`,
};

/** An event in a few words; one of a later release by its type. */
export function sayEvent(event) {
  return EVENTS[event.type]?.(event.data) ?? words(event.type);
}

function words(code) {
  return String(code ?? "unknown").replaceAll(/[._-]/g, " ");
}

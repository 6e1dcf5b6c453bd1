// The panels that show a training: asks for the map and the curves when there is news of them.

import { get } from "../api.js";
import { h } from "../dom.js";
import { field, select } from "../parts.js";
import { hasEnded, pause } from "./follow.js";
import { selectionMap } from "./map.js";

const CURVE_POINTS = 300;
// What moves faster than this is not seen, and costs the service its time.
const BETWEEN_MS = 1500;
const NEWS = new Set(["selection.updated", "train.metrics"]);
// No training yet, or none that was written down.
const NOT_THERE = new Set(["training-not-begun", "no-result"]);

/** {element, update, onEvents}: the map, and the students to choose from where there are several. */
export function trainingPanels(job, { curve, signal }) {
  const id = job.id;
  let candidate = null;
  let map = null;
  let mapped = null; // The student that the map is of.
  let leavingMap = new AbortController();
  let control = null;
  let isBusy = false;
  let isStale = true;
  let seen = "";
  const words = h("p.muted", "The map begins with the training.");
  const place = h(
    "div.stack",
    h("section.panel", h("h2", "What is worth learning from"), words),
  );
  const chooser = h("div", { hidden: true });

  const query = (more) => ({ candidate: candidate ?? undefined, ...more });

  const showMap = (told) => {
    // Frames of two students have the same numbers: each has a map of its own.
    if (mapped !== told.candidate) putMap(told);
    map.show(told);
    offerCandidates(told);
  };
  const putMap = ({ labels, candidate: shown }) => {
    leavingMap.abort();
    leavingMap = new AbortController();
    const mine = AbortSignal.any([leavingMap.signal, signal]);
    const fetchFrame = async (frame) => {
      const of = { candidate: shown, frame };
      return (await get(`/jobs/${id}/selection`, { query: of, signal: mine })).frame;
    };
    curve.showLabel(null);
    map = selectionMap({ job, labels, fetchFrame, onLabel: curve.showLabel, signal: mine });
    mapped = shown;
    if (place.contains(chooser)) place.lastElementChild.replaceWith(map.element);
    else place.replaceChildren(chooser, map.element);
  };
  const offerCandidates = ({ candidates, candidate: shown }) => {
    if (candidates < 2) return;
    if (control?.options.length === candidates) {
      // Until somebody chooses, the service does: the newest one, and in the end the kept one.
      if (candidate === null) control.value = String(shown);
      return;
    }
    const options = Array.from({ length: candidates }, (_, at) => [
      String(at),
      `student ${at + 1} of ${candidates}`,
    ]);
    control = select(options, { value: String(candidate ?? shown) });
    control.addEventListener("change", () => {
      candidate = Number(control.value);
      refresh();
    });
    chooser.replaceChildren(h("section.panel", field("Training of", control)));
    chooser.hidden = false;
  };
  const load = async () => {
    const asked = candidate;
    const [history, told] = await Promise.all([
      get(`/jobs/${id}/training`, { query: query({ points: CURVE_POINTS }), signal }),
      get(`/jobs/${id}/selection`, { query: query({ frame: "latest" }), signal }),
    ]);
    // Another student may have been chosen meanwhile.
    if (signal.aborted || asked !== candidate) return;
    curve.showTraining(history);
    showMap(told);
  };
  /** Ask soon; calls that come meanwhile are answered by one more asking. */
  const refresh = async () => {
    isStale = true;
    if (isBusy) return;
    isBusy = true;
    while (isStale && !signal.aborted) {
      isStale = false;
      await load().catch((error) => {
        if (signal.aborted) return;
        if (error.code === "no-result") words.textContent = error.message;
        if (!NOT_THERE.has(error.code)) console.warn(error.message);
      });
      await pause(BETWEEN_MS, signal);
    }
    isBusy = false;
  };
  const update = (now) => {
    const progress = `${now.state} ${now.stage} ${now.progress.step} ${hasEnded(now)}`;
    if (now.progress.step === null && hasEnded(now)) {
      words.textContent = "The job ended before its training began.";
    }
    if (now.progress.step === null || progress === seen) return;
    seen = progress;
    refresh();
  };
  const onEvents = (news) => {
    if (news.some((each) => NEWS.has(each.type))) refresh();
  };
  return { element: place, update, onEvents };
}

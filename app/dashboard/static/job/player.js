// A slider over the frames of a run, with a button that plays them and a box that follows.

import { h, uid } from "../dom.js";
import { count, plural } from "../format.js";
import { pause } from "./follow.js";

const FRAME_MS = 250;

/**
 * {element, setFrames, follows}; `onShow(frame)` is called with the frame that is wanted.
 *
 * The slider is an input: arrows, Home, End and Page keys move it.
 */
export function player({ onShow, signal }) {
  let frames = [];
  let isPlaying = false;
  let run = 0; // Of the loop that plays: one that was stopped within a frame does not go on.
  const id = uid("frame");
  const slider = h("input", { type: "range", id, min: "0", max: "0", step: "1", value: "0" });
  const play = h("button.small", { type: "button" }, "Play");
  const follow = h("input", { type: "checkbox", checked: true });
  const words = h("output", { for: id });
  const followBox = h("label.check", follow, "follow live");
  const element = h(
    "div.player",
    play,
    h("label.unseen", { for: id }, "Step of the run"),
    slider,
    words,
    followBox,
  );

  const tell = () => {
    const frame = frames[slider.value];
    const text = frame
      ? `step ${count(frame.step)}, ${plural(frame.epoch, "pass", "passes")} done`
      : "no frame yet";
    words.textContent = text;
    slider.setAttribute("aria-valuetext", text);
  };
  const show = () => {
    tell();
    const frame = frames[slider.value];
    return frame ? onShow(frame) : undefined;
  };
  const stop = () => {
    isPlaying = false;
    play.textContent = "Play";
  };
  const begin = async () => {
    run += 1;
    const mine = run;
    isPlaying = true;
    play.textContent = "Pause";
    follow.checked = false;
    if (Number(slider.value) >= frames.length - 1) slider.value = 0;
    else slider.value = Number(slider.value) + 1;
    while (isPlaying && !signal.aborted) {
      await Promise.all([show(), pause(FRAME_MS, signal)]);
      if (!isPlaying || mine !== run) return;
      if (Number(slider.value) >= frames.length - 1) stop();
      else slider.value = Number(slider.value) + 1;
    }
  };
  play.addEventListener("click", () => (isPlaying ? stop() : begin()));
  slider.addEventListener("input", () => {
    stop();
    follow.checked = false;
    show();
  });
  follow.addEventListener("change", () => {
    if (!follow.checked) return;
    stop();
    slider.value = frames.length - 1;
    show();
  });
  tell();

  return {
    element,
    follows: () => follow.checked,
    /** Frames in order; the last one is what following shows. */
    setFrames(now, { isOver }) {
      // Frames are thinned as a run goes on: what is shown keeps its number, not its place.
      const shown = frames[slider.value]?.number;
      frames = now;
      slider.max = Math.max(0, frames.length - 1);
      const place = frames.findLastIndex((frame) => frame.number <= shown);
      slider.value = follow.checked ? frames.length - 1 : Math.max(0, place);
      followBox.hidden = isOver;
      play.disabled = frames.length < 2;
      tell();
    },
  };
}

// The selection map: which texts of a batch were worth a step, live and again.

import { draw } from "../charts.js";
import { fill, h, setStyle } from "../dom.js";
import { count, percent } from "../format.js";
import { field, select } from "../parts.js";
import { lazily } from "./lazy.js";
import { mapLayout, mapTraces } from "./map_chart.js";
import { player } from "./player.js";
import { QUADRANTS, sayKept, sayPassedOver } from "./sentences.js";
import { say } from "./timeline.js";

const ALL = "";

/**
 * {element, show}: show(map) takes an answer of GET /jobs/{id}/selection.
 *
 * `fetchFrame(number)` brings the map at a frame.
 */
export function selectionMap({ job, labels, fetchFrame, onLabel, signal }) {
  const selection = job.request.selection?.kind ?? "llkd";
  const known = new Map();
  let frame = null;
  let wanted = null;

  const chart = h("div.chart.map-chart");
  const sentence = h("p.map-sentence", "The student has not learned yet.");
  const passed = h("p.muted");
  const quadrants = quadrantTable();
  // What the mouse finds by hovering, for those who have none.
  const lists = [
    textList("The texts that were kept", (point) => point.kept),
    textList("The texts that were passed over", (point) => !point.kept),
  ];
  const chosen = select([[ALL, "all labels"], ...labels.map((label) => [label, label])]);
  const { invalidate } = lazily(chart, () => drawMap(), { signal });
  const control = player({ onShow: (one) => seek(one), signal });

  const drawMap = () => {
    const label = chosen.value === ALL ? null : chosen.value;
    const at = label === null ? null : labels.indexOf(label);
    return draw(chart, mapTraces(frame, { label }), mapLayout(frame, { at }), {
      text: frame ? sayKept(frame, selection) : "Nothing to see yet",
    });
  };
  const put = (now) => {
    frame = now;
    say(sentence, sayKept(frame, selection));
    say(passed, selection === "llkd" ? sayPassedOver(frame.quadrants) : "");
    quadrants.update(frame);
    for (const list of lists) list.show(frame);
    invalidate();
  };
  const seek = async (one) => {
    wanted = one.number;
    let found = known.get(one.number);
    if (!found) {
      found = await fetchFrame(one.number).catch(() => null);
      if (!found || signal.aborted) return;
      known.set(one.number, found);
    }
    // The hand may have gone on meanwhile.
    if (wanted === one.number) put(found);
  };
  chosen.addEventListener("change", () => {
    invalidate();
    onLabel(chosen.value === ALL ? null : labels.indexOf(chosen.value));
  });

  const element = h(
    "section.panel",
    h(
      "header",
      h("h2", "What is worth learning from"),
      h("div.map-label", field("Thresholds of", chosen)),
    ),
    sentence,
    h("div.map", chart, quadrants.element),
    control.element,
    passed,
    lists.map((list) => list.element),
  );
  const show = (map) => {
    control.setFrames(map.frames, { isOver: map.ended });
    if (!map.frame || !control.follows()) return;
    wanted = map.frame.number;
    known.set(map.frame.number, map.frame);
    put(map.frame);
  };
  return { element, show };
}

/** The four counts with their names, laid out as they lie in the map. */
function quadrantTable() {
  const figures = new Map();
  const element = h(
    "dl.quadrants",
    QUADRANTS.map(([name, title, meaning]) => {
      const figure = h("dd.quadrant-count", "–");
      const bar = h("i");
      figures.set(name, { figure, bar });
      return h(
        "div.quadrant",
        { dataset: { quadrant: name } },
        h("dt", title),
        figure,
        h("dd.meter", bar),
        h("dd.muted", meaning),
      );
    }),
  );
  const update = ({ quadrants, seen, thresholds }) => {
    // With one gate or none there are no four: all texts would count as beyond what is not asked.
    element.hidden = thresholds.confidence === null || thresholds.uncertainty === null;
    for (const [name, { figure, bar }] of figures) {
      const share = seen ? quadrants[name] / seen : 0;
      say(figure, `${count(quadrants[name])} · ${percent(share, 0)}`);
      setStyle(bar, { width: `${(100 * share).toFixed(1)}%` });
    }
  };
  return { element, update };
}

/** {element, show}: the texts of a frame that `belongs` to the list, made once it is open. */
function textList(title, belongs) {
  const list = h("ul.map-texts");
  const element = h("details", h("summary", title), list);
  let frame = null;
  const tell = () => {
    if (!element.open || frame === null) return;
    fill(
      list,
      frame.points
        .filter(belongs)
        .map((point) =>
          h("li", h("strong", point.label), " ", point.text ?? "(its dataset was deleted)"),
        ),
    );
  };
  element.addEventListener("toggle", tell);
  const show = (now) => {
    frame = now;
    tell();
  };
  return { element, show };
}

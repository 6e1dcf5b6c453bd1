// This view is still to come.

import { fill, h } from "../dom.js";
import { empty } from "../parts.js";

export async function render(main) {
  fill(main, h("h1", "Soon"), empty("Not here yet", "This view is still to come."));
}

// The dashboard starts here: the bar's buttons, the footer, then the view that is asked for.

import { forgetKey } from "./api.js";
import { heldKey } from "./key.js";
import { start } from "./router.js";

const NAMES = { auto: "Auto", light: "Light", dark: "Dark" };
const MEANT = { auto: "as the system", light: "light", dark: "dark" };

function showTheme(theme) {
  const button = document.getElementById("theme");
  button.textContent = NAMES[theme];
  button.setAttribute("aria-label", `Colours: ${MEANT[theme]}`);
  button.title = `Colours: ${MEANT[theme]}`;
}

function showKey() {
  document.getElementById("forget-key").hidden = !heldKey();
}

async function showVersion() {
  const answer = await fetch("/version");
  const told = await answer.json();
  document.getElementById("version").textContent = `LLKD ${told.version}`;
}

document.querySelector(".skip").addEventListener("click", (event) => {
  // The address stays the view's: a reload, and "Try again", find it.
  event.preventDefault();
  document.getElementById("main").focus();
});
document.getElementById("theme").addEventListener("click", () => {
  showTheme(globalThis.llkdTheme.next());
});
document.getElementById("forget-key").addEventListener("click", () => {
  forgetKey();
  location.reload();
});
globalThis.addEventListener("keychange", showKey);
showTheme(globalThis.llkdTheme.current);
showKey();
start();
showVersion().catch(() => {}); // The view says what is wrong; the footer need not.

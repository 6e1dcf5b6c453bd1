// Light or dark, before the first paint: a classic script, so that the page never flashes.
// "auto" follows the system; a choice is kept in this browser.
(() => {
  const KEY = "llkd.theme";
  const ORDER = ["auto", "light", "dark"];

  function chosen() {
    try {
      const kept = localStorage.getItem(KEY);
      return ORDER.includes(kept) ? kept : "auto";
    } catch {
      return "auto"; // Storage may be forbidden; the choice then lasts until the next load.
    }
  }

  function apply(theme) {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    globalThis.dispatchEvent(new CustomEvent("themechange", { detail: theme }));
  }

  let theme = chosen();
  apply(theme);

  globalThis.llkdTheme = {
    get current() {
      return theme;
    },
    next() {
      theme = ORDER[(ORDER.indexOf(theme) + 1) % ORDER.length];
      try {
        localStorage.setItem(KEY, theme);
      } catch {
        // See above.
      }
      apply(theme);
      return theme;
    },
  };

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => apply(theme));
})();

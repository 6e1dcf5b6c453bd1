// How figures, times and sizes read.

const number = new Intl.NumberFormat("en", { maximumFractionDigits: 2 });
const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });

const NONE = "–";
const isMissing = (value) => value === null || value === undefined || Number.isNaN(value);

export const count = (value) => (isMissing(value) ? NONE : whole.format(value));
export const short = (value) => (isMissing(value) ? NONE : compact.format(value));
export const decimal = (value) => (isMissing(value) ? NONE : number.format(value));

/** A share in [0, 1] as a percentage. */
export const percent = (value, digits = 1) =>
  isMissing(value) ? NONE : `${(value * 100).toFixed(digits)} %`;

/** A score in [0, 1], three places. */
export const score = (value) => (isMissing(value) ? NONE : value.toFixed(3));

export function money(usd) {
  if (isMissing(usd)) return NONE;
  if (usd === 0) return "$0";
  return usd < 0.01 ? `$${usd.toPrecision(2)}` : `$${usd.toFixed(2)}`;
}

export function bytes(size) {
  if (isMissing(size)) return NONE;
  const units = ["B", "kB", "MB", "GB"];
  let step = 0;
  while (size >= 1000 && step < units.length - 1) {
    size /= 1000;
    step += 1;
  }
  return `${step === 0 || size >= 100 ? Math.round(size) : size.toFixed(1)} ${units[step]}`;
}

/** Seconds as a person says them: 4 s, 3 min 20 s, 2 h 5 min. */
export function duration(seconds) {
  if (isMissing(seconds)) return NONE;
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`;
  if (seconds < 10) return `${number.format(Math.round(seconds * 10) / 10)} s`;
  const told = Math.round(seconds);
  if (told < 60) return `${told} s`;
  if (told < 3600) return join(Math.floor(told / 60), "min", told % 60, "s");
  if (told < 86_400) return join(Math.floor(told / 3600), "h", Math.floor((told % 3600) / 60), "min");
  return join(Math.floor(told / 86_400), "d", Math.floor((told % 86_400) / 3600), "h");
}

function join(more, unit, less, lesser) {
  return less ? `${more} ${unit} ${less} ${lesser}` : `${more} ${unit}`;
}

/** How long ago, or until: 3 minutes ago. */
export function ago(time) {
  if (!time) return NONE;
  const seconds = (new Date(time) - Date.now()) / 1000;
  const steps = [["second", 60], ["minute", 60], ["hour", 24], ["day", 30], ["month", 12]];
  let told = seconds;
  for (const [unit, size] of steps) {
    if (Math.abs(told) < size) return relative.format(Math.round(told), unit);
    told /= size;
  }
  return relative.format(Math.round(told), "year");
}

/** A moment in this browser's time zone. */
export function moment(time) {
  if (!time) return NONE;
  return new Date(time).toLocaleString("en-GB", { dateStyle: "medium", timeStyle: "short" });
}

export const plural = (amount, one, many = `${one}s`) =>
  `${count(amount)} ${amount === 1 ? one : many}`;

// Which columns a file seems to have: its first bytes are read here, nothing is sent.

const PEEK_BYTES = 256 * 1024;
const ENDINGS = ["csv", "tsv", "jsonl", "ndjson", "parquet", "txt"];
const TEXT_NAMES = ["text", "body", "content", "message", "sentence", "comment", "review", "title"];
const LABEL_NAMES = ["label", "gold", "category", "class", "intent", "topic", "target"];

/** {ending, columns}: no ending for a file of no kind we read; columns null where unknown. */
export async function sniff(file) {
  const name = file.name.toLowerCase().replace(/\.gz$/, "");
  const ending = ENDINGS.find((known) => name.endsWith(`.${known}`)) ?? null;
  if (ending === null || ending === "parquet" || ending === "txt") return { ending, columns: null };
  try {
    const start = await firstText(file);
    const columns = ending.endsWith("json") || ending.endsWith("jsonl") || ending === "ndjson"
      ? keysOf(start)
      : header(start, ending === "tsv" ? "\t" : ",");
    return { ending, columns };
  } catch {
    return { ending, columns: null }; // The service reads it more carefully, and says what is wrong.
  }
}

/** The column that probably plays a part, null if none does. */
export function guess(columns, part) {
  const names = part === "text" ? TEXT_NAMES : LABEL_NAMES;
  const lower = columns.map((column) => column.toLowerCase());
  const at = names.map((name) => lower.indexOf(name)).find((place) => place >= 0);
  return at === undefined ? null : columns[at];
}

async function firstText(file) {
  const isPacked = file.name.toLowerCase().endsWith(".gz");
  const bytes = file.slice(0, PEEK_BYTES);
  if (!isPacked) return new TextDecoder().decode(await bytes.arrayBuffer());
  const reader = bytes.stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  const first = await reader.read();
  reader.cancel().catch(() => {}); // The part that was cut off is no gzip; its first piece is.
  return new TextDecoder().decode(first.value);
}

function keysOf(text) {
  const line = text.replace(/^\uFEFF/, "").split("\n").find((one) => one.trim());
  return Object.keys(JSON.parse(line));
}

/** The fields of the first line; a quoted one may hold the delimiter. */
function header(text, delimiter) {
  const fields = [""];
  let isQuoted = false;
  for (const char of text.replace(/^\uFEFF/, "")) {
    if (char === '"') isQuoted = !isQuoted;
    else if (isQuoted) fields[fields.length - 1] += char;
    else if (char === "\n") break;
    else if (char === delimiter) fields.push("");
    else if (char !== "\r") fields[fields.length - 1] += char;
  }
  return fields.map((field) => field.trim()).filter(Boolean);
}

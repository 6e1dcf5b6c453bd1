// How server-sent events are read over fetch: EventSource cannot send a key.

/**
 * Yield each message of a stream as {id, event, data}; comments and retry hints are passed over.
 *
 * A message that the stream breaks off in the middle of is not yielded: it comes again after
 * Last-Event-ID.
 */
export async function* readMessages(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let message = {};
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      for (const line of lines) {
        if (line === "" || line === "\r") {
          if (message.data !== undefined) yield message;
          message = {};
        } else {
          addField(message, line.replace(/\r$/, ""));
        }
      }
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function addField(message, line) {
  const colon = line.indexOf(":");
  if (colon <= 0) return;
  const field = line.slice(0, colon);
  const value = line.slice(colon + 1).replace(/^ /, "");
  if (field === "data") {
    message.data = message.data === undefined ? value : `${message.data}\n${value}`;
  } else if (field === "id" || field === "event") {
    message[field] = value;
  }
}

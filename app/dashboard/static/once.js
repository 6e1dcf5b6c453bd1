// Requests that create something: one that is sent again, because its answer was lost, creates it once.

/** {headers}: `headers(body)` holds a key for as long as the body stays the same. */
export function sentOnce() {
  let key = null;
  let known = null;
  return {
    headers(body) {
      const now = JSON.stringify(body);
      if (now !== known) key = newKey();
      known = now;
      return { "Idempotency-Key": key };
    },
  };
}

function newKey() {
  // randomUUID() is only there on HTTPS and on loopback.
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

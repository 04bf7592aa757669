// The log as it grows: server-sent events; where something in between does not let them through, asked for now and then.

import { address, api } from "./api.js";

const EVERY = 2000; // milliseconds between two questions, where there is no stream
const PATIENCE = 8000; // milliseconds within which a stream must open

const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"; // of a ULID
const LATE = 5000; // milliseconds: ids are given at the door, and commits overtake each other

/** The smallest id that a delivery shown late may have. */
function before(id) {
  if (id.length < 14) return id;
  let at = Math.max(0, [...id.slice(4, 14)].reduce((sum, digit) => sum * 32 + DIGITS.indexOf(digit), 0) - LATE);
  let text = "";
  for (let place = 0; place < 10; place += 1) {
    text = DIGITS[at % 32] + text;
    at = Math.floor(at / 32);
  }
  return `dlv_${text}${"0".repeat(16)}`;
}

/**
 * Calls `arrived(row)` for each delivery that the filter matches, from now on, until `stop()` (which it gives back).
 * `state(word)` is told `live`, `waiting` (for the connection to come back) or `asking` (no stream).
 */
export function follow(filter, arrived, state = () => {}) {
  let over = false;
  let timer = 0;
  let newest = null;
  let begun = null;
  const seen = new Set();
  const stream = new EventSource(address("/v1/deliveries/tail", filter));

  const ask = async () => {
    clearTimeout(timer);
    if (over) return;
    try {
      if (newest === null) newest = begun = (await api.get("/v1/deliveries", { limit: 1 })).data[0]?.id ?? "dlv_";
      else for (const row of (await api.get("/v1/deliveries", { ...filter, newer_than: before(newest), limit: 200 })).data) {
        if (row.id > newest) newest = row.id;
        if (!over && !seen.has(row.id) && row.id > begun) arrived(row);
        seen.add(row.id);
      }
      state("asking");
    } catch {
      state("waiting");
    }
    if (!over) timer = setTimeout(ask, EVERY);
  };
  const withoutStream = () => {
    stream.close();
    ask();
  };
  timer = setTimeout(withoutStream, PATIENCE);

  stream.addEventListener("open", () => { clearTimeout(timer); state("live"); });
  stream.addEventListener("delivery", (event) => { if (!over) arrived(JSON.parse(event.data)); });
  stream.addEventListener("error", () => {
    if (over) return;
    state("waiting"); // the browser connects again by itself, unless it was refused
    if (stream.readyState === EventSource.CLOSED) withoutStream();
  });
  return () => {
    over = true;
    clearTimeout(timer);
    stream.close();
  };
}

// The log as it grows: server-sent events; where something in between does not let them through, asked for now and then.

import { address, api } from "./api.js";

const EVERY = 2000; // milliseconds between two questions, where there is no stream
const PATIENCE = 8000; // milliseconds within which a stream must open

/**
 * Calls `arrived(row)` for each delivery that the filter matches, from now on, until `stop()` (which it gives back).
 * `state(word)` is told `live`, `waiting` (for the connection to come back) or `asking` (no stream).
 */
export function follow(filter, arrived, state = () => {}) {
  let over = false;
  let timer = 0;
  let newest = null;
  const stream = new EventSource(address("/v1/deliveries/tail", filter));

  const ask = async () => {
    clearTimeout(timer);
    if (over) return;
    try {
      if (newest === null) newest = (await api.get("/v1/deliveries", { limit: 1 })).data[0]?.id ?? "dlv_";
      else for (const row of (await api.get("/v1/deliveries", { ...filter, newer_than: newest })).data) { newest = row.id; if (!over) arrived(row); }
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

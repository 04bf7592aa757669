// The log as it grows: server-sent events; where something in between does not let them through, asked for now and then.

import { address, api } from "./api.js";

const EVERY = 2000; // milliseconds between two questions, where there is no stream
const PATIENCE = 8000; // milliseconds within which a stream must open
const NOT_STREAMED = ["contact", "until", "source_delivery_id", "note"]; // filters that only the list knows
const LIMIT = 200; // of one question
const KNOWN = 5000; // ids that are remembered, so that each delivery is shown once

/**
 * Calls `arrived(row)` for each delivery that the filter matches, from now on, until `stop()` (which it gives back).
 * `state(word)` is told `live`, `waiting` (for the connection to come back) or `asking` (no stream); `missed(count)` how
 * many came too fast to be shown, null where nobody knows.
 */
export function follow(filter, arrived, state = () => {}, missed = () => {}) {
  const { since, ...wanted } = filter; // what comes from now on is newer than any time that was chosen
  let over = false;
  let timer = 0;
  let newest = null;
  const seen = new Set();

  // Commits overtake each other: each time what is newer is asked for from a little before on.
  const later = async (than) => {
    const found = [];
    for (let overlap = true; ; overlap = false) {
      const { data } = await api.get("/v1/deliveries", { ...wanted, newer_than: than, overlap, limit: LIMIT });
      found.push(...data);
      if (data.length < LIMIT) return found;
      than = data.at(-1).id;
    }
  };
  const ask = async () => {
    clearTimeout(timer);
    if (over) return;
    try {
      const first = newest === null;
      if (first) newest = (await api.get("/v1/deliveries", { limit: 1 })).data[0]?.id ?? "dlv_";
      const rows = newest === "dlv_" && first ? [] : await later(newest);
      for (const row of rows) {
        if (!over && !first && !seen.has(row.id)) arrived(row);
        if (row.id > newest) newest = row.id;
        seen.add(row.id);
      }
      for (const id of [...seen].slice(0, -KNOWN)) seen.delete(id);
      state("asking");
    } catch {
      state("waiting");
    }
    if (!over) timer = setTimeout(ask, EVERY);
  };

  let stream = null;
  const withoutStream = () => {
    stream?.close();
    ask();
  };
  if (NOT_STREAMED.some((name) => wanted[name])) {
    ask();
  } else {
    stream = new EventSource(address("/v1/deliveries/tail", wanted));
    timer = setTimeout(withoutStream, PATIENCE);
    stream.addEventListener("open", () => { clearTimeout(timer); state("live"); });
    stream.addEventListener("delivery", (event) => { if (!over) arrived(JSON.parse(event.data)); });
    stream.addEventListener("missed", (event) => { if (!over) missed(JSON.parse(event.data).count); });
    stream.addEventListener("error", () => {
      if (over) return;
      state("waiting"); // the browser connects again by itself, unless it was refused
      if (stream.readyState === EventSource.CLOSED) withoutStream();
    });
  }
  return () => {
    over = true;
    clearTimeout(timer);
    stream?.close();
  };
}

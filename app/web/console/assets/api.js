// The API, as every other client sees it; the session's cookie travels by itself.

/** Where the service is: the console may stand below a path of a larger site. */
export const ROOT = new URL("../../", import.meta.url).pathname.replace(/\/$/, "");
export const CONSOLE = `${ROOT}/console`;

/** An error that the API told of: a code, words for a person, and each wrong field. */
export class Refused extends Error {
  constructor(status, problem) {
    super(problem?.detail || `HTTP ${status}`);
    this.status = status;
    this.code = problem?.code ?? "internal";
    this.fields = Object.fromEntries((problem?.errors ?? []).map((one) => [one.field, one.message]));
  }
}

let onSignedOut = () => {};

/** What is to happen when the session is over. */
export function whenSignedOut(act) {
  onSignedOut = act;
}

/** An address of the API with its query; what is empty is left out, and a list is a parameter that is repeated. */
export function address(path, query) {
  const words = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    if (value === null || value === undefined || value === "") continue;
    for (const one of [value].flat()) words.append(name, one);
  }
  const text = words.toString();
  return ROOT + path + (text ? `?${text}` : "");
}

async function ask(method, path, { query, body, media, signal, quiet } = {}) {
  const headers = { "Orders-Console": "1" };
  if (body !== undefined) headers["Content-Type"] = media ?? "application/json";
  const answer = await fetch(address(path, query), {
    method,
    headers,
    signal,
    credentials: "same-origin",
    cache: "no-store",
    body: body === undefined || media ? body : JSON.stringify(body),
  });
  if (answer.status === 204) return null;
  const told = (answer.headers.get("content-type") ?? "").includes("json") ? await answer.json() : null;
  if (answer.ok) return told;
  const refused = new Refused(answer.status, told);
  if (answer.status === 401 && !quiet) onSignedOut();
  throw refused;
}

export const api = {
  get: (path, query, more) => ask("GET", path, { query, ...more }),
  post: (path, body = {}, more) => ask("POST", path, { body, ...more }),
  /** A part of a file, as it is. */
  upload: (path, text, media, query, more) => ask("POST", path, { body: text, media, query, ...more }),
  put: (path, body, more) => ask("PUT", path, { body, ...more }),
  patch: (path, body, more) => ask("PATCH", path, { body, ...more }),
  delete: (path, more) => ask("DELETE", path, more),
};

/** Every row of a list, page after page, but no more than `most`: {rows, more}. */
export async function everything(path, query, { most = 1000, signal } = {}) {
  const rows = [];
  let cursor = null;
  do {
    const page = await api.get(path, { limit: 200, ...query, cursor }, { signal });
    rows.push(...page.data);
    cursor = page.next_cursor;
  } while (cursor && rows.length < most);
  return { rows, more: cursor !== null };
}

/** Every source by name, for those who read the log. */
export const sourcesByName = async (signal) => (await everything("/v1/deliveries/sources", {}, { most: Infinity, signal })).rows;

/** One thing by its id, as a part of a path. */
export const part = encodeURIComponent;

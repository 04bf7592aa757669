// The panel: a contact's page inside a CRM's own page. What that page says only names whom to show.

import { Refused, api, part } from "../api.js";
import { fill, h } from "../dom.js";
import { recall, remember } from "../memory.js";
import { empty, failure, waiting } from "../parts.js";
import { inZone, t } from "../words.js";
import { page } from "./contacts.js";
import { signIn } from "./signin.js";

const ASK = "chatwoot-dashboard-app:fetch-info"; // https://www.chatwoot.com/hc/user-guide/articles/1677691702-how-to-use-dashboard-apps

export function panel({ query, signal, toggles }) {
  const account = query.get("account");
  const box = h("div", { class: "panel" }, waiting());
  let session = null;
  let shownFor = null;
  let asked = { crm_id: query.get("contact"), email: null, phone: null };

  addEventListener("message", (event) => {
    if (event.source !== parent || event.source === window) return; // frame-ancestors decided who the parent can be
    const told = contextOf(event.data);
    if (told) {
      asked = told;
      show();
    }
  }, { signal });

  async function show() {
    if (!session) return;
    const whom = JSON.stringify(asked);
    if (!asked.crm_id && !asked.email && !asked.phone) {
      fill(box, empty(t("panel.waiting"), t("panel.waiting.text")), toggles());
      return;
    }
    if (whom === shownFor) return;
    shownFor = whom;
    fill(box, waiting());
    try {
      const { id, others } = await find(asked, signal);
      const place = { signal, may: (name) => session.permissions.includes(name), session };
      const made = id ? await page(part(id), place, { panel: true }) : [empty(t("panel.nobody"), t(others ? "panel.others.text" : "panel.nobody.text"))];
      if (shownFor === whom) fill(box, made, toggles());
    } catch (error) {
      if (error.name === "AbortError") return;
      shownFor = null;
      if (error.status === 401) signInFirst();
      else fill(box, failure(error, show));
    }
  }

  function signInFirst() {
    session = null;
    if (!account) {
      fill(box, empty(t("panel.account"), t("panel.account.text")));
      return;
    }
    fill(box, signIn({ panel: account, done: opened }), toggles());
  }

  function opened(made) {
    session = made;
    inZone(made.account.timezone);
    if (!session.permissions.includes("read")) fill(box, empty(t("forbidden.title"), t("forbidden.text", { role: session.role })));
    else if (account && session.account.account_id !== account) fill(box, empty(t("panel.other"), t("panel.other.text")));
    else {
      show();
      if (parent !== window) parent.postMessage(ASK, "*"); // says nothing; whoever may frame us may hear it
    }
  }

  (async () => {
    if (!recall("signed-in-panel") && !recall("signed-in")) return signInFirst();
    try {
      opened(await api.get("/v1/session", {}, { quiet: true, signal }));
    } catch (error) {
      if (error instanceof Refused && error.status === 401) {
        remember("signed-in-panel", null);
        signInFirst();
      } else if (error.name !== "AbortError") {
        fill(box, failure(error, () => location.reload()));
      }
    }
  })();
  return box;
}

/** Whom a message means; null when it is no context. Only short texts are taken, and nothing is acted on. */
function contextOf(data) {
  let told;
  try {
    told = typeof data === "string" ? JSON.parse(data) : data;
  } catch {
    return null;
  }
  if (told?.event !== "appContext") return null;
  const contact = told.data?.contact ?? told.data?.conversation?.meta?.sender;
  const text = (value) => (["string", "number"].includes(typeof value) && String(value).length <= 255 ? String(value).trim() || null : null);
  return { crm_id: text(contact?.id), email: text(contact?.email), phone: text(contact?.phone_number) };
}

/**
 * The contact by the CRM's id, also one that it was merged from, else by what else is known of them: if that is one contact's
 * alone, and the CRM knows that one by no other id. `others`: whether it is other people's.
 */
async function find(asked, signal) {
  let others = false;
  for (const [name, value] of Object.entries(asked)) {
    if (!value) continue;
    try {
      const found = (await api.get("/v1/contacts", { [name]: value }, { signal, quiet: true })).data;
      if (found.length === 1 && (name === "crm_id" || !asked.crm_id || !found[0].crm_id)) return { id: found[0].id };
      others ||= found.length > 0;
    } catch (error) {
      if (error.status !== 422) throw error; // an address that cannot be one: the next is tried
    }
  }
  return { id: null, others };
}

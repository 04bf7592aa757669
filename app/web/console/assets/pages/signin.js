// Signing in: a token is shown once, and a short session takes its place.

import { api } from "../api.js";
import { h } from "../dom.js";
import { remember } from "../memory.js";
import { field, form } from "../parts.js";
import { t } from "../words.js";

/** The form; `done(session)` when it worked. `panel`: the account whose panel asks. */
export function signIn({ done, panel = null }) {
  const token = field({ name: "token", label: t("token"), type: "password", required: true, autocomplete: "current-password",
    spellcheck: "false", hint: t("token.hint"), "data-search": true });
  return h("div", { class: "card signin" },
    h("p", { class: "brand" }, h("span", { class: "mark", "aria-hidden": "true" }), t("product")),
    h("h1", { tabindex: "-1" }, t("sign.in")),
    form([token], { submit: t("sign.in"), onsubmit: async (given) => {
      const opened = await api.post("/v1/session", panel ? { token: given.token, panel } : { token: given.token }, { quiet: true });
      remember(panel ? "signed-in-panel" : "signed-in", "yes");
      done(opened);
    } }));
}

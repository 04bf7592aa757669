// The account's settings, and where its panel may be shown.

import { CONSOLE, api } from "../api.js";
import { h } from "../dom.js";
import { confirm, copyable, field, form, head, section, tell } from "../parts.js";
import { inZone, t } from "../words.js";

export async function settings(place) {
  const account = await api.get("/v1/account", {}, { signal: place.signal });
  return [
    head(t("settings"), { lead: account.name }),
    section(t("registry"), form([
      field({ name: "orders_enabled", label: t("registry.enabled"), type: "check", value: account.orders_enabled, wide: true }),
      field({ name: "owner_privacy", label: t("owner.privacy"), type: "check", value: account.owner_privacy, hint: t("owner.privacy.hint"), wide: true }),
      field({ name: "default_currency", label: t("currency"), value: account.default_currency, maxlength: 3, required: true }),
      field({ name: "timezone", label: t("timezone"), value: account.timezone, required: true, list: "zones", hint: t("timezone.hint") }),
      h("datalist", { id: "zones" }, Intl.supportedValuesOf("timeZone").map((one) => h("option", { value: one }))),
      field({ name: "default_region", label: t("region"), value: account.default_region, maxlength: 2, required: true, hint: t("region.hint") }),
    ], { submit: t("save"), onsubmit: async (given) => {
      const save = async () => {
        await api.patch("/v1/account", { ...given, default_currency: given.default_currency.toUpperCase(), default_region: given.default_region.toUpperCase() });
        place.session.account.orders_enabled = given.orders_enabled;
        inZone(given.timezone);
        tell(t("saved"));
        place.redraw();
      };
      if (account.orders_enabled && !given.orders_enabled) confirm(t("registry.turn.off"), t("registry.turn.off.text"), t("registry.turn.off"), save);
      else await save();
    } })),
    section(t("panel"), h("p", { class: "quiet" }, t("panel.text")),
      form([field({ name: "panel_origins", label: t("panel.origins"), type: "area", value: account.panel_origins.join("\n"), wide: true, hint: t("panel.origins.hint"), spellcheck: "false" })],
        { submit: t("save"), onsubmit: async (given) => {
          await api.patch("/v1/account", { panel_origins: given.panel_origins.split(/\s+/).filter(Boolean).map((one) => one.replace(/\/$/, "")) });
          tell(t("saved"));
          place.redraw();
        } }),
      h("h3", {}, t("panel.address")), copyable(`${location.origin}${CONSOLE}/panel?account=${account.account_id}`, { block: true }),
      h("p", { class: "small quiet" }, t("panel.address.text"))),
  ];
}

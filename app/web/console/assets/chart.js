// Charts, drawn as SVG; each has a table that says the same.

import { h, s } from "./dom.js";
import { number, t } from "./words.js";

const PHONE = matchMedia("(max-width: 760px)");

/** Whole numbers for an axis, from 0 to at least `most`. */
export function ticks(most) {
  if (most <= 0) return [0, 1];
  const rough = most / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = Math.max(1, [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough && Number.isInteger(one)) ?? Math.ceil(rough));
  const marks = [];
  for (let at = 0; at < most + step; at += step) marks.push(at);
  return marks;
}

/**
 * Stacked bars. `bars`: [{label, full, values: {part: n}}], `parts`: [[name, label]…] from the bottom up.
 * `tell(value)` writes a value, `tick(value)` one at the axis, `kind` names the colours (outcome-created).
 */
export function stacked({ bars, parts, title, kind, tell = number, tick = tell, width = 960, height = 240, every = 1 }) {
  const wide = PHONE.matches ? 420 : width; // near the size it is shown in, so that the letters keep theirs
  const pad = { left: 54, right: 4, top: 10, bottom: 24 };
  const totals = bars.map((bar) => parts.reduce((sum, [name]) => sum + (bar.values[name] ?? 0), 0));
  const marks = ticks(Math.max(...totals, 0));
  const top = marks.at(-1);
  const inner = { width: wide - pad.left - pad.right, height: height - pad.top - pad.bottom };
  const y = (value) => pad.top + inner.height - (value / top) * inner.height;
  const slot = inner.width / bars.length;
  const thick = Math.max(2, Math.min(slot * 0.72, 44));
  const tip = h("div", { class: "tip", hidden: true });
  const drawing = s("svg", { viewBox: `0 0 ${wide} ${height}`, role: "img", "aria-label": title, class: "chart" },
    marks.map((mark) => [
      s("line", { x1: pad.left, x2: wide - pad.right, y1: y(mark), y2: y(mark), class: mark ? "rule" : "rule base" }),
      s("text", { x: pad.left - 8, y: y(mark) + 4, class: "axis", "text-anchor": "end" }, tick(mark)),
    ]),
    bars.map((bar, at) => {
      const x = pad.left + slot * at + (slot - thick) / 2;
      let below = 0;
      const pieces = parts.map(([name]) => {
        const value = bar.values[name] ?? 0;
        if (!value) return null;
        const from = y(below);
        below += value;
        return s("rect", { x, y: y(below), width: thick, height: Math.max(from - y(below), 0.5), class: `${kind}-${name} fill` });
      });
      return s("g", { class: "barred", onpointerenter: (event) => show(event, bar, totals[at]), onpointerleave: () => { tip.hidden = true; } },
        s("rect", { x: pad.left + slot * at, y: pad.top, width: slot, height: inner.height, class: "catch" }), pieces);
    }),
    bars.map((bar, at) => (at % (PHONE.matches ? every * 2 : every) === 0
      ? s("text", { x: pad.left + slot * (at + 0.5), y: height - 6, class: "axis", "text-anchor": "middle" }, bar.label) : null)));
  function show(event, bar, total) {
    tip.replaceChildren(h("strong", {}, bar.full), ...parts.filter(([name]) => bar.values[name]).map(([name, label]) =>
      h("span", {}, h("i", { class: `dot ${kind}-${name}` }), label, h("b", {}, tell(bar.values[name])))),
      ...(total ? [] : [h("span", {}, t("none"))]));
    tip.hidden = false;
    const box = figure.getBoundingClientRect();
    const left = Math.min(Math.max(event.clientX - box.left - 70, 0), box.width - 190);
    tip.style.setProperty("left", `${left}px`);
  }
  const figure = h("figure", { class: "figure" },
    h("figcaption", { class: "legend" }, parts.map(([name, label]) => h("span", {}, h("i", { class: `dot ${kind}-${name}` }), label))),
    drawing, tip,
    h("details", { class: "as-table" }, h("summary", {}, t("as.table")),
      h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": title }, h("table", { class: "plain-table" }, h("caption", { class: "hidden" }, title),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, t("time")), parts.map(([, label]) => h("th", { scope: "col", class: "right" }, label)))),
        h("tbody", {}, bars.filter((_, at) => totals[at]).map((bar) => h("tr", {}, h("th", { scope: "row" }, bar.full),
          parts.map(([name]) => h("td", { class: "right" }, tell(bar.values[name] ?? 0))))))))));
  return figure;
}

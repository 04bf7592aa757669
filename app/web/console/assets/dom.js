// Elements, made without markup: text is always text, whoever wrote it.

const SVG = "http://www.w3.org/2000/svg";

function filled(element, given, children) {
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "value" || name === "checked" || name === "selected") element[name] = value;
    else element.setAttribute(name, value === true ? "" : String(value));
  }
  put(element, children);
  return element;
}

/** An element: h("a", {class: "quiet", href, onclick}, "text", other elements, [lists of them]). */
export function h(name, given, ...children) {
  return filled(document.createElement(name), given, children);
}

/** The same for what a drawing is made of. */
export function s(name, given, ...children) {
  return filled(document.createElementNS(SVG, name), given, children);
}

/** Puts children (text, elements, lists; nothing for null) at an element's end. */
export function put(element, children) {
  for (const child of [children].flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : String(child));
  }
  return element;
}

/** Replaces what is in an element. */
export function fill(element, ...children) {
  element.replaceChildren();
  return put(element, children);
}

/** An address that may be followed: http and https alone. */
export function safeAddress(text) {
  try {
    const url = new URL(text);
    return url.protocol === "https:" || url.protocol === "http:" ? url.href : null;
  } catch {
    return null;
  }
}

// What is remembered in this browser: choices, never data. A frame without storage remembers until it is closed.

const here = new Map();

export function recall(name) {
  try {
    return localStorage.getItem(`orders.${name}`) ?? here.get(name) ?? null;
  } catch {
    return here.get(name) ?? null;
  }
}

export function remember(name, value) {
  here.set(name, value);
  try {
    if (value === null) localStorage.removeItem(`orders.${name}`);
    else localStorage.setItem(`orders.${name}`, value);
  } catch { /* then until it is closed */ }
}

// A body made readable, without changing a digit of it: only the space between its parts is set anew.

const SPACE = /\s/;

/** JSON text with line breaks, or null when it is not JSON. Numbers, order and repeated names stay as they came. */
export function pretty(text) {
  try {
    JSON.parse(text);
  } catch {
    return null;
  }
  let made = "";
  let depth = 0;
  for (let at = 0; at < text.length; at += 1) {
    const char = text[at];
    if (char === '"') {
      const end = closing(text, at);
      made += text.slice(at, end + 1);
      at = end;
    } else if (char === "{" || char === "[") {
      const next = solid(text, at + 1);
      if (text[next] === "}" || text[next] === "]") {
        made += char + text[next];
        at = next;
      } else {
        depth += 1;
        made += `${char}\n${"  ".repeat(depth)}`;
      }
    } else if (char === "}" || char === "]") {
      depth -= 1;
      made += `\n${"  ".repeat(depth)}${char}`;
    } else if (char === ",") {
      made += `,\n${"  ".repeat(depth)}`;
    } else if (char === ":") {
      made += ": ";
    } else if (!SPACE.test(char)) {
      made += char;
    }
  }
  return made;
}

function closing(text, from) {
  let at = from + 1;
  while (text[at] !== '"') at += text[at] === "\\" ? 2 : 1;
  return at;
}

function solid(text, from) {
  let at = from;
  while (SPACE.test(text[at] ?? "x")) at += 1;
  return at;
}

const TOKEN = /("(?:\\.|[^"\\])*")(\s*:)?|\b(true|false|null)\b|(-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?)/g;

/** The pieces of pretty JSON: [[class or null, text]…], for colour. */
export function pieces(text) {
  const found = [];
  let from = 0;
  for (const match of text.matchAll(TOKEN)) {
    if (match.index > from) found.push([null, text.slice(from, match.index)]);
    if (match[1] && match[2]) found.push(["j-name", match[1]], [null, match[2]]);
    else if (match[1]) found.push(["j-text", match[1]]);
    else if (match[3]) found.push(["j-word", match[3]]);
    else found.push(["j-number", match[4]]);
    from = match.index + match[0].length;
  }
  found.push([null, text.slice(from)]);
  return found;
}

/** A form's fields, one a line; null when the text is no form. */
export function formLines(text) {
  if (!/^[\w.[\]%+-]+=[^\s{}<>]*$/.test(text)) return null;
  return [...new URLSearchParams(text)].map(([name, value]) => `${name} = ${value}`).join("\n");
}

/** A word for the shell, quoted so that nothing in it is acted on. */
export const quoted = (text) => `'${String(text).replaceAll("'", "'\\''")}'`;

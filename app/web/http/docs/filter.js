// Narrows the page to what is looked for, and opens what an address names. The page is whole without it.

const field = document.querySelector("input[type=search]");
const entries = [...document.querySelectorAll("details")].map((entry) => [entry, entry.textContent.toLowerCase()]);

function narrow() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  for (const [entry, text] of entries) entry.hidden = !words.every((word) => text.includes(word));
  for (const section of document.querySelectorAll("section")) {
    section.hidden = words.length > 0 && !section.querySelector("details:not([hidden])");
  }
}

function open() {
  const entry = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (entry instanceof HTMLDetailsElement) {
    entry.hidden = false;
    entry.open = true;
    entry.scrollIntoView();
  }
}

field.hidden = false;
field.addEventListener("input", narrow);
addEventListener("hashchange", open);
open();

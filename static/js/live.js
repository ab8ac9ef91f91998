// Keeps an open page true, a log flowing, and gives the keyboard its keys. Every page works
// without it. Nothing is rendered here: parts come from the server as HTML.
"use strict";

const $ = (selector, within = document) => within.querySelector(selector);
const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

// ---- live parts: on a change the page is read again, and its [data-live] parts replaced

let refreshing = false;
let again = false;

async function refresh() {
  if (refreshing) {
    again = true;
    return;
  }
  refreshing = true;
  do {
    again = false;
    try {
      const answer = await fetch(location.href.split("#")[0], { headers: { accept: "text/html" } });
      if (answer.ok) replace(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // the stream comes back by itself, and tells us again
    }
    await new Promise((resume) => setTimeout(resume, 300));
  } while (again);
  refreshing = false;
}

function replace(fresh) {
  const open = new Map($$("details[id]").map((one) => [one.id, one.open]));
  for (const part of $$("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next || next.innerHTML === part.innerHTML) continue;
    const held = focused(part);
    part.replaceChildren(...next.childNodes);
    if (held) $(held, part)?.focus({ preventScroll: true });
  }
  for (const one of $$("details[id]")) one.open = open.get(one.id) ?? one.open;
  const icon = fresh.getElementById("icon");
  if (icon) $("#icon").href = icon.href;
  document.title = fresh.title;
  if (!fresh.body.dataset.events) stream?.close();
  offerCopies();
  retell();
  mark();
}

// whoever is somewhere in the part by the keyboard is there afterwards too
function focused(part) {
  const one = document.activeElement;
  if (!part.contains(one) || one === part) return null;
  if (one.id) return `#${CSS.escape(one.id)}`;
  if (one.matches("a[href]")) return `a[href="${CSS.escape(one.getAttribute("href"))}"]`;
  const inside = one.closest("details[id], form[action]");
  if (!inside) return null;
  const around = inside.id ? `#${CSS.escape(inside.id)}` : `form[action="${CSS.escape(inside.getAttribute("action"))}"]`;
  return `${around} ${one.localName}`;
}

let stream;
if (document.body.dataset.events) {
  stream = new EventSource(document.body.dataset.events);
  stream.addEventListener("changed", refresh);
}

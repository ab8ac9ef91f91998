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
    if (next && next.innerHTML !== part.innerHTML) part.replaceChildren(...next.childNodes);
  }
  for (const one of $$("details[id]")) one.open = open.get(one.id) ?? one.open;
  const icon = fresh.getElementById("icon");
  if (icon) $("#icon").href = icon.href;
  document.title = fresh.title;
  if (!fresh.body.dataset.events) stream?.close();
  mark();
}

let stream;
if (document.body.dataset.events) {
  stream = new EventSource(document.body.dataset.events);
  stream.addEventListener("changed", refresh);
}

// ---- the log

const lines = $("#lines");

function append(html) {
  // while the end is in sight, it stays in sight
  const bottom = innerHeight + scrollY >= document.documentElement.scrollHeight - 60;
  lines.insertAdjacentHTML("beforeend", html);
  if (bottom && !("ended" in lines.dataset)) scrollTo(0, document.documentElement.scrollHeight);
  if (find?.value) search();
}

function follow() {
  const log = new EventSource(`/live/jobs/${lines.dataset.job}?from=${lines.dataset.next}`);
  log.addEventListener("lines", (event) => append(JSON.parse(event.data).html));
  log.addEventListener("end", () => {
    log.close();
    lines.dataset.ended = "";
    $("#waiting")?.remove();
    $("#more")?.remove();
    refresh();
  });
}

if (lines) {
  if (!("ended" in lines.dataset)) {
    $("#more")?.remove();
    follow();
  } else if ("more" in lines.dataset) {
    // the rest of a long log comes when its end is scrolled to
    const watch = new IntersectionObserver((seen) => {
      if (seen.some((one) => one.isIntersecting)) {
        watch.disconnect();
        follow();
      }
    }, { rootMargin: "600px" });
    watch.observe($("#more"));
  }
}

// ---- find in the log

const find = $("#find");
let hits = [];
let at = -1;

function search() {
  const wanted = find.value.toLowerCase();
  for (const line of $$(".line.hit", lines)) line.classList.remove("hit", "now");
  hits = wanted ? $$(".line", lines).filter((line) => line.lastElementChild.textContent.toLowerCase().includes(wanted)) : [];
  for (const line of hits) line.classList.add("hit");
  at = Math.min(at, hits.length - 1);
  tell();
}

function tell() {
  $("#hits").textContent = find.value ? `${hits.length ? at + 1 : 0} of ${hits.length}` : "";
}

function hit(step) {
  if (!hits.length) return;
  hits[at]?.classList.remove("now");
  at = (at + step + hits.length) % hits.length;
  hits[at].classList.add("now");
  hits[at].scrollIntoView({ block: "center" });
  tell();
}

if (find) {
  find.hidden = false;
  find.addEventListener("input", () => { at = -1; search(); });
  find.addEventListener("keydown", (event) => {
    if (event.key === "Enter") hit(event.shiftKey ? -1 : 1);
    if (event.key === "Escape") { find.value = ""; search(); find.blur(); }
  });
}

// ---- keys

let row = -1;
let going = false;
const shortcuts = $("#shortcuts");

function mark() {
  $$("[data-row]").forEach((one, index) => one.classList.toggle("here", index === row));
}

function move(step) {
  const rows = $$("[data-row]");
  if (!rows.length) return;
  row = Math.max(0, Math.min(rows.length - 1, row + step));
  mark();
  rows[row].scrollIntoView({ block: "nearest" });
}

function openRow() {
  const here = $$("[data-row]")[row];
  (here?.matches("[data-open]") ? here : here && $("[data-open]", here))?.click();
}

const places = { b: "/", l: "/builds", p: "/previews", s: "/system" };

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  if (going) {
    going = false;
    if (places[event.key]) location.href = places[event.key];
    return;
  }
  switch (event.key) {
    case "j": move(1); break;
    case "k": move(-1); break;
    case "Enter": if (event.target === document.body) openRow(); break;
    case "n": hit(1); break;
    case "N": hit(-1); break;
    case "g": going = true; break;
    case "?": shortcuts.showModal(); break;
    case "/": {
      const box = $("[data-search]");
      if (!box) return;
      event.preventDefault();
      box.focus();
      break;
    }
  }
});

const keys = $("#keys");
keys.hidden = false;
keys.addEventListener("click", () => shortcuts.showModal());

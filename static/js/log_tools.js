// ---- what one does with a log: pick lines, copy them, search, go to a line, fold, see times

if (log) {
  const { view, job } = log;
  let picked = null;
  let hits = [];
  let found = new Set();
  let at = -1;
  const box = $("#find");

  const parse = (hash) => {
    const [, from, to] = /^#L(\d+)(?:-L?(\d+))?$/.exec(hash) || [];
    return from && { from: Math.min(from, to ?? from), to: Math.max(from, to ?? from) };
  };
  const name = ({ from, to }) => (from === to ? `#L${from}` : `#L${from}-L${to}`);

  // marks what is picked and found among the lines of an element
  log.dress = (within) => {
    for (const line of $$(".line[id], summary[id]", within)) {
      const n = Number(line.id.slice(1));
      line.classList.toggle("picked", Boolean(picked && picked.from <= n && n <= picked.to));
      line.classList.toggle("hit", found.has(n));
      line.classList.toggle("now", hits[at] === n);
    }
    paint();
  };

  // the words themselves, where the browser can mark text without changing the page
  function paint() {
    if (!CSS.highlights) return;
    const wanted = box.value.trim().toLowerCase();
    const ranges = [];
    if (wanted) for (const code of $$(".line.hit code", view)) {
      const walk = document.createTreeWalker(code, NodeFilter.SHOW_TEXT);
      for (let node = walk.nextNode(); node; node = walk.nextNode()) {
        const text = node.data.toLowerCase();
        if (text.length !== node.data.length) continue;
        for (let i = text.indexOf(wanted); i >= 0; i = text.indexOf(wanted, i + wanted.length)) {
          const range = new Range();
          range.setStart(node, i);
          range.setEnd(node, i + wanted.length);
          ranges.push(range);
        }
      }
    }
    CSS.highlights.set("found", new Highlight(...ranges));
  }

  // ---- lines in the address

  function pick(range, go) {
    picked = range;
    log.dress(view);
    const bar = $("#picked");
    bar.hidden = !range;
    if (!range) return;
    $("#picked-lines").textContent = range.from === range.to ? `Line ${range.from}` : `Lines ${range.from} to ${range.to}`;
    if (go) log.show(range.from);
  }

  view.addEventListener("click", (event) => {
    const one = event.target.closest(".line > a, summary > .n");
    if (!one || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    const n = Number(one.textContent);
    const range = event.shiftKey && picked
      ? { from: Math.min(picked.from, n), to: Math.max(picked.to, n) }
      : { from: n, to: n };
    const again = picked && name(picked) === name(range);
    history.replaceState(null, "", again ? location.pathname + location.search : name(range));
    pick(again ? null : range, false);
  });
  view.addEventListener("mousedown", (event) => {
    // shift marks lines here and no text
    if (event.shiftKey && event.target.closest(".line > a, summary > .n")) event.preventDefault();
  });
  addEventListener("hashchange", () => {
    const range = parse(location.hash);
    if (range) pick(range, true);
  });

  async function copy(button, text) {
    const was = button.textContent;
    try {
      await navigator.clipboard.writeText(await text());
      button.textContent = "Copied";
    } catch {
      button.textContent = "Not copied";
    }
    setTimeout(() => { button.textContent = was; }, 2000);
  }

  $("#copy-lines").addEventListener("click", (event) => copy(event.target, async () => {
    const answer = await fetch(`/jobs/${job}/log/text?from=${picked.from}&to=${picked.to}`);
    if (!answer.ok) throw new Error("too many lines");
    return answer.text();
  }));
  $("#copy-link").addEventListener("click", (event) => copy(event.target, async () => {
    const link = new URL(location.href);
    link.search = `?job=${job}`;
    link.hash = name(picked);
    return link.href;
  }));

  // ---- search, in the whole log, by the server

  let asked = 0;
  async function search() {
    const wanted = box.value.trim();
    const now = ++asked;
    let answer = { lines: [], more: false };
    if (wanted) {
      const told = await fetch(`/jobs/${job}/log/find?find=${encodeURIComponent(wanted)}`);
      if (told.ok) answer = await told.json();
    }
    if (now !== asked) return;
    hits = answer.lines;
    found = new Set(hits);
    at = -1;
    for (const one of ["#find-previous", "#find-next"]) $(one).hidden = !hits.length;
    tell(answer.more);
    log.dress(view);
  }

  let more = false;
  function tell(hasMore = more) {
    more = hasMore;
    $("#hits").textContent = box.value.trim() ? `${at + 1} of ${hits.length}${more ? "+" : ""}` : "";
  }

  hit = (step) => {
    if (!hits.length) return;
    at = at < 0 && step < 0 ? hits.length - 1 : (at + step + hits.length) % hits.length;
    tell();
    log.show(hits[at]).then(() => log.dress(view));
  };

  let typing = 0;
  let searched = "";
  box.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(() => { searched = box.value; search(); }, 250);
  });
  box.addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      box.value = "";
      box.blur();
      search();
    }
    if (event.key === "Enter" && event.shiftKey) {
      event.preventDefault();
      hit(-1);
    }
  });
  $("#find-form").addEventListener("submit", async (event) => {
    event.preventDefault();
    clearTimeout(typing);
    if (searched !== box.value || !hits.length) {
      searched = box.value;
      await search();
    }
    hit(1);
  });
  $("#find-go").hidden = true;
  $("#find-next").addEventListener("click", () => hit(1));
  $("#find-previous").addEventListener("click", () => hit(-1));
  $("#go-form").addEventListener("submit", (event) => {
    const range = parse(`#L${$("#go").value.trim().replace(/^L/i, "")}`);
    if (!range || !("scrolled" in view.dataset)) return;
    event.preventDefault();
    history.replaceState(null, "", name(range));
    pick(range, true);
  });

  // ---- toggles

  $("#times").addEventListener("click", (event) => {
    event.preventDefault();
    event.target.textContent = view.classList.toggle("times") ? "Hide times" : "Times";
  });
  const wrap = $("#wrap");
  wrap.hidden = false;
  wrap.addEventListener("click", () => wrap.setAttribute("aria-pressed", !view.classList.toggle("unwrapped")));
  const fold = $("#fold");
  fold.hidden = !$(".group", view);
  const tellFold = () => { fold.textContent = $(".group[open]", view) ? "Fold all" : "Unfold all"; };
  fold.addEventListener("click", () => {
    const isOpen = !$(".group[open]", view);
    for (const one of $$(".group", view)) one.open = isOpen;
    tellFold();
  });
  view.addEventListener("toggle", () => { fold.hidden = false; tellFold(); }, true);
  tellFold();

  const wanted = new URLSearchParams(location.search).get("lines");
  const range = parse(location.hash) || parse(`#L${wanted}`);
  if (range && "scrolled" in view.dataset) pick(range, true);
  if (box.value) {
    searched = box.value;
    search();
  }
}

// ---- the log: lines near what is seen are in the page, for all others there is room only. Lines
// come from the server as HTML, a segment at a time, and go again; groups fold by themselves.

// what other parts of the script may ask of the log; without a log nothing happens
let hit = () => {};
let log = null;

if ($("#lines")) {
  const view = $("#lines");
  const tail = $("#tail");
  const job = view.dataset.job;
  const SEGMENT = 100;
  const LOADED = 10;
  const NEAR = 700;
  let height = parseFloat(getComputedStyle(view).lineHeight) || 19;
  let loaded = [];
  let top = 0;
  let following = false;

  const number = (one, key) => Number(one.dataset[key]);
  const isAway = (segment) => segment.classList.contains("away");
  const lineOf = (n) => document.getElementById(`L${n}`);

  // ---- segments

  const near = new Set();
  const watch = new IntersectionObserver((seen) => {
    for (const one of seen) one.isIntersecting ? near.add(one.target) : near.delete(one.target);
    later();
  }, { root: view, rootMargin: `${NEAR}px 0px` });

  let waiting = 0;
  function later() {
    // what is only passed by is not fetched
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      for (const one of near) if (isAway(one)) load(one);
      trim();
    }, 40);
  }

  function room(segment) {
    segment.style.height = `${(number(segment, "to") - number(segment, "from") + 1) * height}px`;
  }

  function segmentOf(from, to) {
    const one = document.createElement("div");
    one.className = "seg away";
    one.dataset.from = from;
    one.dataset.to = to;
    room(one);
    return one;
  }

  function spread(gap) {
    const all = [];
    for (let from = number(gap, "from"); from <= number(gap, "to"); from += SEGMENT) {
      all.push(segmentOf(from, Math.min(from + SEGMENT - 1, number(gap, "to"))));
    }
    gap.replaceWith(...all);
    all.forEach((one) => watch.observe(one));
  }

  function settle(segment, html) {
    const before = segment.offsetHeight;
    const above = segment.offsetTop < view.scrollTop;
    segment.innerHTML = html;
    segment.style.height = "";
    segment.classList.remove("away");
    loaded.push(segment);
    log.dress(segment);
    // what is seen stays where it is
    if (above && !following) scroll(view.scrollTop + segment.offsetHeight - before);
    if (following) toEnd();
  }

  const loading = new Map();
  function load(segment) {
    if (!isAway(segment)) return Promise.resolve();
    if (!loading.has(segment)) {
      const from = segment.dataset.from;
      const to = segment.dataset.to;
      const coming = fetch(`/jobs/${job}/log/lines?from=${from}&to=${to}`)
        .then(async (answer) => {
          if (answer.ok && isAway(segment) && segment.dataset.to === to) settle(segment, await answer.text());
        })
        .catch(() => {})
        .finally(() => loading.delete(segment));
      loading.set(segment, coming);
    }
    return loading.get(segment);
  }

  function unload(segment) {
    const seen = segment.offsetHeight;
    segment.replaceChildren();
    segment.classList.add("away");
    if (seen) segment.style.height = `${seen}px`;
    else room(segment);
  }

  function trim() {
    loaded = loaded.filter((one) => one.isConnected && !isAway(one));
    if (loaded.length <= LOADED) return;
    const middle = view.scrollTop + view.clientHeight / 2;
    const far = (one) => (near.has(one) ? -1 : Math.abs(one.offsetTop + one.offsetHeight / 2 - middle));
    const leaving = loaded.filter((one) => far(one) >= 0).sort((a, b) => far(b) - far(a));
    leaving.slice(0, loaded.length - LOADED).forEach(unload);
    loaded = loaded.filter((one) => !isAway(one));
  }

  // ---- places

  function open(one) {
    for (let group = one.closest("details"); group; group = group.parentElement.closest("details")) group.open = true;
  }

  // the element of a line, loaded if need be
  async function find(n) {
    if (!lineOf(n)) {
      const segment = $$(".seg", view).find((one) => number(one, "from") <= n && n <= number(one, "to"));
      if (!segment) return null;
      open(segment);
      await load(segment);
    }
    return lineOf(n);
  }

  async function show(n) {
    setFollowing(false);
    const line = await find(n);
    if (!line) return;
    open(line.matches("summary") ? line.parentElement : line);
    const place = line.getBoundingClientRect().top - view.getBoundingClientRect().top + view.scrollTop;
    scroll(place - view.clientHeight / 3);
    view.scrollIntoView({ block: "nearest" });
  }

  function scroll(to) {
    view.scrollTop = to;
    top = view.scrollTop;
  }

  function toEnd() {
    scroll(view.scrollHeight);
  }

  // ---- follow mode: the end stays in sight until somebody scrolls up

  const button = $("#follow");
  function setFollowing(on) {
    following = on && !("ended" in view.dataset);
    button.hidden = "ended" in view.dataset;
    button.setAttribute("aria-pressed", following);
    button.textContent = following ? "Following" : "Follow";
    if (following) toEnd();
  }

  button.addEventListener("click", () => setFollowing(!following));
  view.addEventListener("scroll", () => {
    const isUp = view.scrollTop < top - 3;
    top = view.scrollTop;
    if (following && isUp) setFollowing(false);
    else if (!following && !isUp && view.scrollTop + view.clientHeight > view.scrollHeight - 4) setFollowing(true);
  }, { passive: true });

  // ---- lines as they come

  function append(part, html) {
    const inside = (part.in && $(`#${part.in} > .inside`)) || view;
    const last = inside === view ? tail.previousElementSibling : inside.lastElementChild;
    const fits = last?.matches(".seg") && number(last, "to") === part.from - 1
      && isAway(last) === !html && !loading.has(last) && part.to - number(last, "from") < 2 * SEGMENT;
    if (fits) {
      last.dataset.to = part.to;
      if (html) last.insertAdjacentHTML("beforeend", html);
      else room(last);
      if (html) log.dress(last);
      return;
    }
    const segment = segmentOf(part.from, part.to);
    inside === view ? tail.before(segment) : inside.append(segment);
    if (html) {
      segment.innerHTML = html;
      segment.style.height = "";
      segment.classList.remove("away");
      loaded.push(segment);
      log.dress(segment);
    }
    watch.observe(segment);
  }

  function group(part) {
    const fresh = new DOMParser().parseFromString(part.html, "text/html").body.firstElementChild;
    const known = document.getElementById(part.group);
    if (!known) {
      if (!part.new) return;
      const inside = (part.in && $(`#${part.in} > .inside`)) || view;
      inside === view ? tail.before(fresh) : inside.append(fresh);
      return;
    }
    known.dataset.to = fresh.dataset.to;
    $("summary", known).replaceWith($("summary", fresh));
    if ($("summary .bad", known)) known.open = true;
  }

  let queue = [];
  function flush() {
    const events = queue;
    queue = [];
    const parts = events.flatMap((event) => event.parts);
    const size = (part) => (part.group ? 0 : part.to - part.from + 1);
    let behind = parts.reduce((sum, part) => sum + size(part), 0);
    for (const part of parts) {
      behind -= size(part);
      if (part.group) group(part);
      // a flood is not rendered: only its end is looked at
      else append(part, following && behind < 3 * SEGMENT ? part.html : "");
    }
    const last = events.at(-1);
    $("code", tail).innerHTML = last.tail;
    $("#total").textContent = last.total.toLocaleString("en");
    if (following) toEnd();
    later();
  }

  function stream() {
    const events = new EventSource(`/live/jobs/${job}?from=${view.dataset.next}`);
    events.addEventListener("lines", (event) => {
      if (queue.push(JSON.parse(event.data)) === 1) setTimeout(flush, 16);
    });
    events.addEventListener("end", () => {
      events.close();
      if (queue.length) flush();
      view.dataset.ended = "";
      setFollowing(false);
      $("#waiting")?.remove();
      refresh();
    });
  }

  log = { view, job, find, show, dress: () => {} };

  if ("scrolled" in view.dataset) {
    view.classList.add("scrolled");
    for (const one of $$(".seg", view)) {
      loaded.push(one);
      watch.observe(one);
    }
    $$(".gap", view).forEach(spread);
    // what the server chose to show
    const chosen = loaded.filter((one) => one.offsetHeight).at(-1);
    scroll(chosen ? chosen.offsetTop + chosen.offsetHeight - view.clientHeight + 2 * height : view.scrollHeight);
    addEventListener("resize", () => { height = parseFloat(getComputedStyle(view).lineHeight) || height; });
    if (!("ended" in view.dataset)) {
      setFollowing(true);
      stream();
    }
  }
}

// ---- keys: rows are gone through with j and k, by moving the focus, so that Enter opens what has it

let row = -1;
let going = false;
const shortcuts = $("#shortcuts");

function mark() {
  $$("[data-row]").forEach((one, index) => one.classList.toggle("here", index === row));
}

function opens(one) {
  return one.matches("[data-open]") ? one : $("[data-open]", one);
}

function move(step) {
  const rows = $$("[data-row]");
  if (!rows.length) return;
  row = Math.max(0, Math.min(rows.length - 1, row + step));
  mark();
  opens(rows[row])?.focus({ preventScroll: true });
  rows[row].scrollIntoView({ block: "nearest" });
}

function openRow() {
  const here = $$("[data-row]")[row];
  if (here) opens(here)?.click();
}

// only where the navigation leads
const places = { b: "/", l: "/builds", p: "/previews", s: "/system", e: "/settings" };

function go(key) {
  $(`#nav a[href="${places[key]}"]`)?.click();
}

document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("input, select, textarea, dialog")) return;
  if (going) {
    going = false;
    go(event.key);
    return;
  }
  switch (event.key) {
    case "j": move(1); break;
    case "k": move(-1); break;
    case "o": openRow(); break;
    case "Enter": if (event.target === document.body) openRow(); break;
    case "n": hit(1); break;
    case "N": hit(-1); break;
    case "g": going = true; setTimeout(() => { going = false; }, 1500); break;
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

// whoever clicks or tabs into a row goes on from there
document.addEventListener("focusin", (event) => {
  const index = $$("[data-row]").indexOf(event.target.closest("[data-row]"));
  if (index >= 0 && index !== row) {
    row = index;
    mark();
  }
});

const keys = $("#keys");
keys.hidden = false;
keys.addEventListener("click", () => shortcuts.showModal());

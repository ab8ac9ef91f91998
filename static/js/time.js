// ---- relative times stay true while a page is open; the words are those of page/view.rs

function relative(seconds) {
  const away = Math.abs(seconds);
  const told = (amount, unit) => (seconds < 0 ? `in ${amount} ${unit}` : `${amount} ${unit} ago`);
  if (away < 45) return "just now";
  if (away < 5400) return told(Math.floor((away + 30) / 60), "min");
  if (away < 129600) return told(Math.floor((Math.floor(away / 60) + 30) / 60), "h");
  return told(Math.floor((Math.floor(away / 3600) + 12) / 24), "d");
}

function retell() {
  for (const one of $$("time[title]")) {
    const text = relative(Math.trunc((Date.now() - Date.parse(one.dateTime)) / 1000));
    if (one.textContent !== text) one.textContent = text;
  }
}

setInterval(retell, 15000);
document.addEventListener("visibilitychange", () => document.hidden || retell());

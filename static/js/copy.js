// ---- copy buttons: without a script the text is selected by hand

document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText($("code", button.parentElement).textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren($("code", button.parentElement));
    button.textContent = "Press Ctrl+C";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 2000);
});

function offerCopies() {
  for (const button of $$("[data-copy]")) button.hidden = false;
}

offerCopies();

// Asks the API of this deployment; config.json, written when the site was packaged, says where it is.
async function show() {
  const config = await (await fetch('config.json')).json();
  const answer = await (await fetch(config.api + config.path)).json();
  document.getElementById('greeting').textContent = answer.message;
  const list = document.getElementById('answer');
  for (const field of config.fields) {
    list.append(
      Object.assign(document.createElement('dt'), { textContent: field }),
      Object.assign(document.createElement('dd'), { textContent: answer[field] }),
    );
  }
}

show().catch((error) => {
  document.getElementById('greeting').textContent = `The API does not answer: ${error.message}`;
});

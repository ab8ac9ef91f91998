// Every five minutes: a reminder to the endpoint of the environment. The workshop's endpoint is
// made up, so the reminder is returned in place of being sent; nobody but who invokes the function
// by hand sees what a scheduled one returns.
const shared = require('workshop-shared');

function reminder(environment) {
  const { STAGE: stage, url, api_key } = environment;
  if (!url || !api_key) {
    throw new Error('url and api_key must be set; the parameters endpoint and endpoint_api_key of the profile fill them');
  }
  return shared.answer('reminder', { stage, url, api_key });
}

async function handler() {
  return reminder(process.env);
}

module.exports = { handler, reminder };

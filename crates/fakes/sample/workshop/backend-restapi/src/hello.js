// Says which deployment answers: its stage, its profile's parameters and the table it would use.
const shared = require('workshop-shared');

const MESSAGE = 'Hello from the workshop';

function answer(environment) {
  return shared.answer('hello', {
    message: MESSAGE,
    stage: environment.STAGE,
    env: environment.ENV,
    endpoint: environment.ENDPOINT,
    table: environment.TABLE_NAME,
  });
}

async function handler() {
  return {
    statusCode: 200,
    // the site is served from elsewhere
    headers: { 'content-type': 'application/json', 'access-control-allow-origin': '*' },
    body: JSON.stringify(answer(process.env)),
  };
}

module.exports = { answer, handler };

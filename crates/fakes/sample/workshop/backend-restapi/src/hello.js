// Says which deployment answers: its stage, its profile's parameters and the table it would use.
const MESSAGE = 'Hello from the workshop';

function answer(environment) {
  return {
    message: MESSAGE,
    stage: environment.STAGE,
    env: environment.ENV,
    endpoint: environment.ENDPOINT,
    table: environment.TABLE_NAME,
  };
}

async function handler() {
  return {
    statusCode: 200,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(answer(process.env)),
  };
}

module.exports = { answer, handler };

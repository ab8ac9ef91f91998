const { test } = require('node:test');
const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { contract } = require('workshop-shared');
const { reminder } = require('../src/remind.js');

test('goes to the endpoint of the environment, with its key', () => {
  assert.deepStrictEqual(reminder({ STAGE: 'dev', url: 'https://x', api_key: 'k', PATH: '/bin' }), {
    stage: 'dev', url: 'https://x', api_key: 'k', contract: contract.version,
  });
});

test('says what is missing when the profile has no endpoint', () => {
  assert.throws(() => reminder({ STAGE: 'dev', url: 'https://x' }), /endpoint_api_key of the profile/);
});

test('is due every five minutes', () => {
  const source = readFileSync(join(__dirname, '..', 'serverless.yml'), 'utf8');
  assert.match(source, /schedule: rate\(5 minutes\)/);
});

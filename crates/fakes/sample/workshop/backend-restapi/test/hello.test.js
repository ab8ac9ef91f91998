const { test } = require('node:test');
const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { contract } = require('workshop-shared');
const { answer, handler } = require('../src/hello.js');

test('answers every field of the contract, and no other', () => {
  assert.deepStrictEqual(Object.keys(answer({})), contract.hello.fields);
});

test('takes stage, parameters and table from its environment', () => {
  const got = answer({ STAGE: 'dev', ENV: 'e', ENDPOINT: 'https://x', TABLE_NAME: 't' });
  assert.deepStrictEqual({ ...got, message: '' }, {
    message: '', stage: 'dev', env: 'e', endpoint: 'https://x', table: 't', contract: contract.version,
  });
});

test('is served as JSON where the contract says', async () => {
  const response = await handler();
  assert.strictEqual(response.statusCode, 200);
  assert.strictEqual(typeof JSON.parse(response.body).message, 'string');
  const source = readFileSync(join(__dirname, '..', 'serverless.yml'), 'utf8');
  assert.ok(source.includes(`httpApi: GET ${contract.hello.path}\n`));
});

const { test } = require('node:test');
const assert = require('node:assert');
const { answer, handler } = require('../src/hello.js');
const contract = require('../../shared/contract.json');

test('answers every field of the contract, and no other', () => {
  assert.deepStrictEqual(Object.keys(answer({})), contract.fields);
});

test('takes stage, parameters and table from its environment', () => {
  const got = answer({ STAGE: 'dev', ENV: 'e', ENDPOINT: 'https://x', TABLE_NAME: 't' });
  assert.deepStrictEqual({ ...got, message: '' }, {
    message: '', stage: 'dev', env: 'e', endpoint: 'https://x', table: 't',
  });
});

test('is served as JSON', async () => {
  const response = await handler();
  assert.strictEqual(response.statusCode, 200);
  assert.strictEqual(typeof JSON.parse(response.body).message, 'string');
});

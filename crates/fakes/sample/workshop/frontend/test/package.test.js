const { test } = require('node:test');
const assert = require('node:assert');
const { mkdtemp, readFile, rm } = require('node:fs/promises');
const { tmpdir } = require('node:os');
const { join } = require('node:path');
const { contract } = require('workshop-shared');
const { configuration, main } = require('../scripts/package.js');
const { contentType, files } = require('../scripts/deploy.js');

const API = 'https://abc123.execute-api.us-east-1.amazonaws.com';

test('the site asks the API of its own stage', () => {
  const config = configuration({
    GREENROOM_STAGE: 'dev', GREENROOM_OUTPUT_RESTAPI_HTTPAPIURL: `${API}/`,
  });
  assert.deepStrictEqual(config, {
    stage: 'dev', api: API, path: '/hello', fields: contract.hello.fields, contract: contract.version,
  });
});

test('a stage without an API is told to deploy one first', () => {
  assert.throws(() => configuration({ GREENROOM_STAGE: 'dev' }), /HTTPAPIURL is not set; .* deploy it/);
});

test('the package holds the whole site, and the index is uploaded last', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'frontend-'));
  t.after(() => rm(directory, { recursive: true }));
  t.mock.method(console, 'log', () => {});
  await main({
    GREENROOM_STAGE: 'dev', GREENROOM_OUTPUT_RESTAPI_HTTPAPIURL: API, GREENROOM_PACKAGE_DIR: directory,
  });
  const site = await files(join(directory, 'site'));
  assert.deepStrictEqual([...site.keys()], ['app.js', 'config.json', 'style.css', 'index.html']);
  assert.strictEqual(JSON.parse(await readFile(site.get('config.json'))).api, API);
});

test('browsers are told what each file is', () => {
  assert.strictEqual(contentType('index.html'), 'text/html; charset=utf-8');
  assert.strictEqual(contentType('deep/photo.unknown'), 'application/octet-stream');
});

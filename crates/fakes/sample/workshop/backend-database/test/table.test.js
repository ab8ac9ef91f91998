// The API imports the table's name: the export it looks for must stay in this file.
const { test } = require('node:test');
const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const source = readFileSync(join(__dirname, '..', 'serverless.yml'), 'utf8');

test('exports the table name and ARN of the stage', () => {
  for (const name of ['TableName', 'TableArn']) {
    const line = 'Name: ${self:service}-${sls:stage}-' + name;
    assert.ok(source.includes(line), `serverless.yml has no export "${line}"`);
  }
});

test('gives each stage a table of its own', () => {
  assert.match(source, /TableName: fullstack-\$\{sls:stage\}-notes/);
});

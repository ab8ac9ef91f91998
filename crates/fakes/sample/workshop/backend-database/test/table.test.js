// Other services read these outputs by name, and no two stages may share a table.
const { test } = require('node:test');
const assert = require('node:assert');
const { readFileSync } = require('node:fs');
const { join } = require('node:path');

const source = readFileSync(join(__dirname, '..', 'serverless.yml'), 'utf8');

test('publishes the name and the ARN of the table', () => {
  const outputs = source.slice(source.indexOf('\noutputs:'));
  assert.match(outputs, /^ {2}database_submissions_name: \$\{self:custom\.database_submissions_name\}$/m);
  assert.match(outputs, /^ {2}database_submissions_arn: !GetAtt Submissions\.Arn$/m);
});

test('gives each stage a table of its own', () => {
  assert.match(source, /^ {2}database_submissions_name: submissions-\$\{sls:stage\}$/m);
  assert.match(source, /TableName: \$\{self:custom\.database_submissions_name\}/);
});

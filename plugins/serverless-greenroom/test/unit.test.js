'use strict';

const test = require('node:test');
const assert = require('node:assert');
const fs = require('fs');
const os = require('os');
const path = require('path');
const { parse, substitute } = require('../lib/reference');
const { read, resolve } = require('../lib/scope');
const { publish } = require('../lib/publish');
const { needsOutputs } = require('../lib/command');
const { stackTags, keepDeployed } = require('../lib/deploy');
const { withoutSources } = require('../lib/looking');
// Greenroom's own tests run the same cases.
const cases = require('./cases.json');

test('references are read as Greenroom reads them', () => {
  for (const { text, parts } of cases.parse) {
    const read = parse(text);
    const found = read && [read.app, read.stage, read.region, read.service, read.key];
    assert.deepStrictEqual(found, parts, text);
  }
});

test('references are resolved, and missing ones told, as Greenroom does', () => {
  for (const { scope, text, value, error } of cases.resolve) {
    const answer = resolve(cases.scopes[scope], parse(text));
    assert.deepStrictEqual(answer, value === undefined ? { missing: error } : { value }, text);
  }
});

test('texts with references are filled in as Greenroom does', () => {
  for (const { scope, text, value, error } of cases.substitute) {
    const fill = () => substitute(text, (reference) => resolve(cases.scopes[scope], reference));
    if (error === undefined) assert.strictEqual(fill(), value);
    else assert.throws(fill, { message: error });
  }
});

test('variables that are not ours stay as they are', () => {
  const text = '${AWS::Region}-${Table}-${output::dev::a.b}-${unclosed';
  assert.strictEqual(
    substitute(text, () => ({ value: '1' })),
    '${AWS::Region}-${Table}-1-${unclosed'
  );
});

test('a source that the framework does not read behind an empty part is told with the remedy', () => {
  const fill = () => substitute('${output::dev::a.b, param:x}', () => ({ missing: 'absent' }));
  assert.throws(fill, /does not read param:x .*write a dot/);
});

test('a file of outputs that is broken is named, and no file is no scope', (t) => {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'greenroom-'));
  t.after(() => fs.rmSync(directory, { recursive: true }));
  const file = path.join(directory, 'outputs.json');
  const scope = () => read({ GREENROOM_OUTPUTS_FILE: file });
  assert.strictEqual(read({}), null);
  assert.throws(scope, /GREENROOM_OUTPUTS_FILE.*cannot be read.*ENOENT/);
  fs.writeFileSync(file, '{"app":"workshop"}');
  assert.throws(scope, /holds no outputs/);
});

test('literal outputs go into the file, as text', () => {
  const { file, template } = publish({ a: 'x', b: 3, c: true, d: { e: [1, 'f'] }, 'g-h': '' }, []);
  assert.deepStrictEqual(template, {});
  assert.deepStrictEqual(file, {
    a: { value: 'x' },
    b: { value: '3' },
    c: { value: 'true' },
    d: { value: '{"e":[1,"f"]}' },
    'g-h': { value: '' },
  });
});

test('what only CloudFormation knows becomes an output of the stack', () => {
  const { file, template } = publish(
    {
      table_name: { Ref: 'Table' },
      nested: { arns: [{ 'Fn::GetAtt': ['Table', 'Arn'] }], text: 'a "b" ${c}', n: 1 },
    },
    []
  );
  assert.deepStrictEqual(file, {
    table_name: { stack_output: 'GreenroomOutputTableName' },
    nested: { stack_output: 'GreenroomOutputNested' },
  });
  assert.deepStrictEqual(template.GreenroomOutputTableName, { Value: { Ref: 'Table' } });
  assert.deepStrictEqual(template.GreenroomOutputNested, {
    Value: {
      'Fn::Sub': [
        '{"arns":["${Value0}"],"text":"a \\"b\\" ${!c}","n":1}',
        { Value0: { 'Fn::GetAtt': ['Table', 'Arn'] } },
      ],
    },
  });
});

test('two keys that come to one name of a template output get two', () => {
  const ref = { Ref: 'Table' };
  const { file, template } = publish({ 'a-b': ref, a_b: ref, _: ref }, ['GreenroomOutputAB']);
  const names = Object.values(file).map((output) => output.stack_output);
  assert.strictEqual(new Set([...names, 'GreenroomOutputAB']).size, 4);
  assert.deepStrictEqual(Object.keys(template).sort(), [...names].sort());
  for (const name of names) assert.match(name, /^[A-Za-z0-9]+$/);
});

test('outputs that cannot be published are named', () => {
  assert.throws(() => publish({ 'a.b': 'x' }, []), /outputs\.a\.b: a key is made of/);
  assert.throws(() => publish({ a: null }, []), /outputs\.a has no value/);
  assert.throws(() => publish(['a'], []), /outputs must be keys with values/);
  assert.deepStrictEqual(publish(undefined, []), { file: {}, template: {} });
});

test('only commands that make or run something need the outputs', () => {
  const needs = (text, options = {}) => needsOutputs({ commands: text.split(' '), options });
  for (const command of ['package', 'deploy', 'deploy function', 'invoke local', 'offline']) {
    assert.ok(needs(command), command);
  }
  for (const command of ['remove', 'info', 'print', 'logs', 'rollback function', 'plugin list']) {
    assert.ok(!needs(command), command);
  }
  assert.ok(!needs('deploy', { package: 'made-before' }));
});

test('the tags of a stack are those of the job, and none on another machine', () => {
  const tags = { 'greenroom:app': 'workshop' };
  assert.deepStrictEqual(stackTags({ GREENROOM_STACK_TAGS: JSON.stringify(tags) }), tags);
  assert.strictEqual(stackTags({}), null);
  for (const text of ['{', '[]', 'null', '7']) {
    assert.throws(() => stackTags({ GREENROOM_STACK_TAGS: text }), /GREENROOM_STACK_TAGS/, text);
  }
});

test('what the stack is made of is never cleaned away', async () => {
  const removed = [];
  const plugin = {
    async cleanupS3Bucket() {},
    async removeObjects(objects) {
      removed.push(...objects.map(({ Key }) => Key));
    },
  };
  keepDeployed({
    service: { package: { artifactDirectoryName: 'serverless/api/dev/1-2026' } },
    pluginManager: { plugins: [{}, plugin] },
  });
  const keys = ['serverless/api/dev/1-2026/api.zip', 'serverless/api/dev/1-20261/api.zip'];
  await plugin.removeObjects(keys.map((Key) => ({ Key })));
  assert.deepStrictEqual(removed, [keys[1]]);
  await plugin.removeObjects(undefined);
  assert.doesNotThrow(() => keepDeployed({ service: {}, pluginManager: { plugins: [plugin] } }));
});

test('values of the account are replaced where a package is only looked at', () => {
  const of = (text) => withoutSources(text, 'unknown');
  assert.strictEqual(of('a ${ssm:/x/${sls:stage}/y} b ${s3:bucket/key} c'), 'a unknown b unknown c');
  assert.strictEqual(of("${ssm(eu-west-1):/x, 'y'}"), 'unknown');
  for (const text of ['${param:x}', '${env:SSM}', '${ssm:/open', 'ssm:/x']) {
    assert.strictEqual(of(text), text);
  }
});

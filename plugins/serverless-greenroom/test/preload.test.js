'use strict';

const test = require('node:test');
const assert = require('node:assert');
const path = require('path');
const { frameworks, service, run, packaged, plugin, TEMPLATE } = require('./run');
const { scopes } = require('./cases.json');

const PRELOAD = path.join(plugin, 'preload.js');

const CONFIGURATION = {
  service: 'fullstack-restapi',
  outputs: { topic: { Ref: 'Topic' } },
  provider: { name: 'aws', runtime: 'nodejs20.x' },
  resources: {
    Resources: {
      Topic: {
        Type: 'AWS::SNS::Topic',
        Properties: { DisplayName: '${output::dev::fullstack-database.table_name}' },
      },
    },
  },
};

const YAML = `
service: fullstack-restapi
outputs: { topic: !Ref Topic }
provider: { name: aws, runtime: nodejs20.x }
resources:
  Resources:
    Topic:
      Type: AWS::SNS::Topic
      Properties: { DisplayName: "\${output::dev::fullstack-database.table_name}" }
`;

const OTHER = 'module.exports = class { constructor() { console.log("OTHER IS LOADED"); } };\n';
const json = JSON.stringify(CONFIGURATION);

const SERVICES = {
  'serverless.yml without plugins': { 'serverless.yml': YAML },
  'serverless.yaml with a list': { 'serverless.yaml': `${YAML}plugins: [./other]\n` },
  'serverless.yml with modules': {
    'serverless.yml': `${YAML}plugins:\n  localPath: './mine'\n  modules: [other]\n`,
    'mine/other.js': OTHER,
  },
  'serverless.yml with a variable': {
    'serverless.yml': `${YAML}plugins: \${file(plugins.yml)}\n`,
    'plugins.yml': '- ./other\n',
  },
  'serverless.yml that names the plugin': {
    'serverless.yml': `${YAML}plugins: [serverless-greenroom, ./other]\n`,
  },
  'serverless.json': { 'serverless.json': json },
  'serverless.js': { 'serverless.js': `module.exports = ${json};\n` },
  'serverless.js in a package of modules': {
    'serverless.cjs': `module.exports = ${json};\n`,
    'package.json': '{"type":"module"}',
    only: 4,
  },
  'serverless.ts': {
    'serverless.ts': `const configuration: object = ${json};\nexport default configuration;\n`,
    only: 4,
  },
};

for (const framework of frameworks) {
  for (const [name, { only, ...files }] of Object.entries(SERVICES)) {
    if (only && !framework.version.startsWith(`${only}.`)) continue;
    test(`${framework.name}: ${name} gets the plugin`, (t) => {
      const directory = service(t, {
        'other.js': OTHER,
        ...files,
        'outputs.json': scopes.dev,
      });
      const done = run(framework, directory, 'package --stage dev', {
        NODE_OPTIONS: `--require "${PRELOAD}"`,
        GREENROOM_OUTPUTS_FILE: path.join(directory, 'outputs.json'),
      });
      assert.strictEqual(done.status, 0, done.said);
      const { Resources, Outputs } = packaged(directory, `.serverless/${TEMPLATE}`);
      assert.strictEqual(Resources.Topic.Properties.DisplayName, 'notes-dev');
      assert.ok(Outputs.GreenroomOutputTopic);
      const isNamed = Object.values(files).some((text) => /plugins:/.test(text));
      assert.strictEqual(/OTHER IS LOADED/.test(done.said), isNamed, done.said);
      assert.doesNotMatch(done.said, /Invalid configuration|warning/i);
    });
  }

  test(`${framework.name}: a plugin of another installation is not loaded twice`, (t) => {
    const mine = 'module.exports = require("serverless-greenroom");\n';
    const directory = service(t, {
      'serverless.yml': `${YAML}plugins: [./mine]\n`,
      'mine.js': mine,
      'outputs.json': scopes.dev,
    });
    const done = run(framework, directory, 'package --stage dev', {
      NODE_OPTIONS: `--require "${PRELOAD}"`,
      GREENROOM_OUTPUTS_FILE: path.join(directory, 'outputs.json'),
    });
    assert.strictEqual(done.status, 0, done.said);
  });

  const LAPTOP = `
service: fullstack-restapi
provider: { name: aws, runtime: nodejs20.x, stage: dev }
resources:
  Resources:
    Topic:
      Type: AWS::SNS::Topic
      Properties: { DisplayName: "\${param:name}-\${param:key}" }
`;

  test(`${framework.name}: parameters come from the environment, those of the command line first`, (t) => {
    const directory = service(t, { 'serverless.yml': LAPTOP });
    const done = run(framework, directory, 'package --stage ann --param key=mine', {
      NODE_OPTIONS: `--require "${PRELOAD}"`,
      GREENROOM_PARAMETERS: '{"name":"a=b","key":"ours"}',
      GREENROOM_ONLY_STAGE: 'ann',
    });
    assert.strictEqual(done.status, 0, done.said);
    const { Resources } = packaged(directory, `.serverless/${TEMPLATE}`);
    assert.strictEqual(Resources.Topic.Properties.DisplayName, 'a=b-mine');
  });

  test(`${framework.name}: a command that would work for another stage ends`, (t) => {
    const directory = service(t, { 'serverless.yml': LAPTOP });
    const done = run(framework, directory, 'package --param key=mine --param name=x', {
      NODE_OPTIONS: `--require "${PRELOAD}"`,
      GREENROOM_ONLY_STAGE: 'ann',
    });
    assert.notStrictEqual(done.status, 0, done.said);
    assert.match(done.said, /work on the stage dev, and runs for ann/);
  });
}

'use strict';

const test = require('node:test');
const assert = require('node:assert');
const path = require('path');
const { frameworks, service, run, packaged, TEMPLATE } = require('./run');
const { scopes } = require('./cases.json');

const HANDLER = "exports.handler = async () => 'ok';\n";

/** Ends a command where it would begin to talk to AWS. */
const STOP = `module.exports = class {
  constructor(serverless) {
    const stop = () => {
      console.log('REACHED ' + JSON.stringify(serverless.service.custom));
      process.exit(0);
    };
    this.hooks = { 'before:remove:remove': stop, 'before:info:info': stop, 'before:deploy:deploy': stop };
  }
};
`;

/** A service that reads the guide's database from the stage that \`env\` names. */
const READER = {
  'handler.js': HANDLER,
  'serverless.yml': `
service: fullstack-restapi
plugins: [serverless-greenroom]
custom:
  stages: { feature-x: nowhere }
  table: \${output::\${param:env}::fullstack-database.table_name}
  late: \${file(late-\${param:env}.yml)}
provider:
  name: aws
  runtime: nodejs20.x
  environment:
    TABLE: \${output::\${param:env}::fullstack-database.table_name}
    COPY: \${self:custom.table}
    LATE: \${self:custom.late.table}
    SHORT: \${output:backend-database.table_arn}
    INSIDE: a/\${output::\${param:env}::backend-database.table_name}/\${output:backend-database.table_arn}/b
    NESTED: \${output::\${self:custom.stages.\${sls:stage}}::backend-database.table_name, 'of nowhere'}
    FALLBACK: \${output:backend-database.absent, 'none'}
    SECOND: \${env:ABSENT_HERE, output:.:dev:.:backend-database.table_name}
    REGION: \${AWS::Region}
functions:
  hello:
    handler: handler.handler
    timeout: \${output::dev::settings.timeout}
resources:
  Resources:
    Topic:
      Type: AWS::SNS::Topic
      Properties:
        DisplayName: !Sub "\${output::\${param:env}::fullstack-database.table_name}-\${AWS::Region}"
  Outputs:
    Odd:
      Value: \${output:settings.odd}
`,
  'late-dev.yml': "table: ${output::dev::backend-database.table_name}\nagain: '${output::dev::a.b, \"x\"}'\n",
};

const SCOPE = {
  ...scopes.preview,
  published: [
    ...scopes.preview.published,
    {
      app: 'workshop',
      stage: 'dev',
      region: 'us-east-1',
      service: 'settings',
      outputs: { timeout: '12', odd: 'a ${b:c} \\${d:e} ${output:f.g}' },
    },
  ],
};

const WRITER = {
  'serverless.yml': `
service: fullstack-database
plugins: [serverless-greenroom]
provider: { name: aws, runtime: nodejs20.x }
outputs:
  table_name: !Ref Table
  all: { arn: !GetAtt Table.Arn, stage: "\${sls:stage}" }
  stage: \${sls:stage}
  copy: \${output:other.key, 'none'}
resources:
  Resources:
    Table:
      Type: AWS::DynamoDB::Table
      Properties:
        BillingMode: PAY_PER_REQUEST
        AttributeDefinitions: [{ AttributeName: id, AttributeType: S }]
        KeySchema: [{ AttributeName: id, KeyType: HASH }]
`,
};

function outputsFile(scope) {
  return { 'outputs.json': scope };
}

for (const framework of frameworks) {
  const name = (text) => `${framework.name}: ${text}`;

  test(name('references are resolved wherever they stand'), (t) => {
    const directory = service(t, { ...READER, ...outputsFile(SCOPE) });
    const done = run(
      framework,
      directory,
      'package --package made --stage feature-x --region us-east-1 --param env=dev',
      { GREENROOM_OUTPUTS_FILE: path.join(directory, 'outputs.json') }
    );
    assert.strictEqual(done.status, 0, done.said);
    const { Resources, Outputs } = packaged(directory, `made/${TEMPLATE}`);
    assert.deepStrictEqual(Resources.HelloLambdaFunction.Properties.Environment.Variables, {
      SERVERLESS_STAGE: 'feature-x',
      TABLE: 'notes-dev',
      COPY: 'notes-dev',
      LATE: 'notes-dev',
      SHORT: 'arn:dev',
      INSIDE: 'a/notes-dev/arn:dev/b',
      NESTED: 'of nowhere',
      FALLBACK: 'none',
      SECOND: 'notes-dev',
      REGION: '${AWS::Region}',
    });
    assert.strictEqual(Number(Resources.HelloLambdaFunction.Properties.Timeout), 12);
    assert.deepStrictEqual(Resources.Topic.Properties.DisplayName, {
      'Fn::Sub': 'notes-dev-${AWS::Region}',
    });
    assert.strictEqual(Outputs.Odd.Value, 'a ${b:c} \\${d:e} ${output:f.g}');
    assert.deepStrictEqual(packaged(directory, 'made/greenroom-outputs.json'), { outputs: {} });
    assert.doesNotMatch(done.said, /Invalid configuration|warning/i);
  });

  test(name('functions see the stage, unless the service says otherwise'), (t) => {
    const functions = `functions:
  plain: { handler: handler.handler }
  own: { handler: handler.handler, environment: { SERVERLESS_STAGE: mine } }
`;
    const files = (provider) => ({
      'handler.js': HANDLER,
      'serverless.yml': `
service: stages
plugins: [serverless-greenroom]
provider: { name: aws, runtime: nodejs20.x${provider} }
${functions}`,
    });
    const seen = (provider) => {
      const directory = service(t, files(provider));
      const done = run(framework, directory, 'package --package made --stage feature-x');
      assert.strictEqual(done.status, 0, done.said);
      const { Resources } = packaged(directory, `made/${TEMPLATE}`);
      return ['Plain', 'Own'].map(
        (id) => Resources[`${id}LambdaFunction`].Properties.Environment.Variables.SERVERLESS_STAGE
      );
    };
    assert.deepStrictEqual(seen(''), ['feature-x', 'mine']);
    assert.deepStrictEqual(seen(', environment: { SERVERLESS_STAGE: theirs }'), ['theirs', 'mine']);
  });

  test(name('outputs are published by the package, literal or through the stack'), (t) => {
    const directory = service(t, WRITER);
    const done = run(framework, directory, 'package --stage feature-x');
    assert.strictEqual(done.status, 0, done.said);
    assert.deepStrictEqual(packaged(directory, '.serverless/greenroom-outputs.json'), {
      outputs: {
        table_name: { stack_output: 'GreenroomOutputTableName' },
        all: { stack_output: 'GreenroomOutputAll' },
        stage: { value: 'feature-x' },
        copy: { value: 'none' },
      },
    });
    const { Outputs } = packaged(directory, `.serverless/${TEMPLATE}`);
    assert.deepStrictEqual(Outputs.GreenroomOutputTableName, { Value: { Ref: 'Table' } });
    assert.deepStrictEqual(Outputs.GreenroomOutputAll, {
      Value: {
        'Fn::Sub': [
          '{"arn":"${Value0}","stage":"feature-x"}',
          { Value0: { 'Fn::GetAtt': ['Table', 'Arn'] } },
        ],
      },
    });
    assert.doesNotMatch(done.said, /Invalid configuration|warning/i);
  });

  test(name('a missing output is named with its place and what is published there'), (t) => {
    const files = { ...READER, 'late-prod.yml': 'table: x\n', ...outputsFile(scopes.preview) };
    const directory = service(t, files);
    const done = run(framework, directory, 'package --stage feature-x --param env=prod', {
      GREENROOM_OUTPUTS_FILE: path.join(directory, 'outputs.json'),
    });
    assert.strictEqual(done.status, 1, done.said);
    assert.match(done.said, /"provider\.environment\.TABLE".*\$\{output::prod::fullstack-database\.table_name\} is not published: in stage prod \(us-east-1\)/);
    assert.doesNotMatch(done.said, /at .*index\.js/, 'no stack trace');
  });

  test(name('a missing output in a file that is read late is named too'), (t) => {
    const directory = service(t, {
      ...READER,
      ...outputsFile(SCOPE),
      'late-dev.yml': 'table: ${output::dev::backend-database.tabel}\n',
    });
    const done = run(framework, directory, 'package --stage feature-x --param env=dev', {
      GREENROOM_OUTPUTS_FILE: path.join(directory, 'outputs.json'),
    });
    assert.strictEqual(done.status, 1, done.said);
    assert.match(done.said, /late\.table".*in stage dev \(us-east-1\) backend-database publishes table_arn, table_name/);
  });

  test(name('without Greenroom only an output that is needed is missed'), (t) => {
    const directory = service(t, {
      'handler.js': HANDLER,
      'serverless.yml': `
service: lonely
plugins: [serverless-greenroom]
provider: { name: aws, runtime: nodejs20.x, environment: { A: "\${output:a.b, 'c'}", B: "\${param:b, output:a.b}" } }
functions: { hello: { handler: handler.handler } }
`,
    });
    const fine = run(framework, directory, 'package --param b=x');
    assert.strictEqual(fine.status, 0, fine.said);
    const missed = run(framework, directory, 'package');
    assert.strictEqual(missed.status, 1, missed.said);
    assert.match(missed.said, /environment\.B".*known to Greenroom only.*GREENROOM_OUTPUTS_FILE.*fallback/);
  });

  test(name('a package that is only looked at needs no value that is not known'), (t) => {
    const directory = service(t, {
      'handler.js': HANDLER,
      'serverless.yml': `
service: looked
plugins: [serverless-greenroom]
provider:
  name: aws
  runtime: nodejs20.x
  environment: { A: "\${output:a.b}", B: "\${ssm:/x/\${sls:stage}}" }
functions: { hello: { handler: handler.handler, timeout: "\${output:a.timeout}" } }
`,
    });
    const done = run(framework, directory, 'package --package made --stage staging', {
      GREENROOM_PLACEHOLDER: 'unknown-here',
    });
    assert.strictEqual(done.status, 0, done.said);
    const { Resources } = packaged(directory, `made/${TEMPLATE}`);
    const { Environment } = Resources.HelloLambdaFunction.Properties;
    assert.deepStrictEqual(Environment.Variables, {
      SERVERLESS_STAGE: 'staging',
      A: 'unknown-here',
      B: 'unknown-here',
    });
  });

  test(name('looking, removing and deploying a package go on without the outputs'), (t) => {
    const files = { ...READER, 'stop.js': STOP };
    files['serverless.yml'] = files['serverless.yml'].replace(
      '[serverless-greenroom]',
      '[serverless-greenroom, ./stop]'
    );
    const directory = service(t, { ...files, ...outputsFile(SCOPE) });
    const options = '--stage feature-x --param env=dev';
    const made = run(framework, directory, `package --package made ${options}`, {
      GREENROOM_OUTPUTS_FILE: path.join(directory, 'outputs.json'),
    });
    assert.strictEqual(made.status, 0, made.said);
    for (const command of ['remove', 'info']) {
      const done = run(framework, directory, `${command} ${options}`);
      assert.strictEqual(done.status, 0, done.said);
      assert.match(done.said, /REACHED .*"table":"missing-output"/, command);
    }
    const deployed = run(framework, directory, `deploy --package made ${options}`);
    assert.strictEqual(deployed.status, 0, deployed.said);
    assert.match(deployed.said, /REACHED .*"table":"notes-dev"/, 'as it was packaged');
    const printed = run(framework, directory, `print ${options}`);
    assert.strictEqual(printed.status, 0, printed.said);
    assert.match(printed.said, /TABLE: missing-output/);
    const unreadable = run(framework, directory, `remove ${options}`, {
      GREENROOM_OUTPUTS_FILE: path.join(directory, 'absent.json'),
    });
    assert.strictEqual(unreadable.status, 0, unreadable.said);
  });
}

// The last step of a build: does what was deployed work together? Greenroom says in variables
// GREENROOM_OUTPUT_<SERVICE>_<OUTPUT> what this stage can read. A service that publishes nothing
// here is not asked for: a preview may hold a part of the workshop only.
const assert = require('node:assert');
const { contract } = require('../shared');
const { get } = require('./get.js');

const output = (name) => process.env[`GREENROOM_OUTPUT_${name}`];

const CHECKS = {
  'the database publishes its table': {
    of: output('DATABASE_DATABASE_SUBMISSIONS_NAME'),
    check(name) {
      assert.match(name, /^submissions-[a-z0-9-]+$/);
      const arn = output('DATABASE_DATABASE_SUBMISSIONS_ARN') ?? '';
      assert.ok(arn.startsWith('arn:') && arn.endsWith(`:table/${name}`), `${arn} is not the ARN of ${name}`);
    },
  },
  'the API answers with the parameters of its profile': {
    of: output('RESTAPI_HTTPAPIURL'),
    async check(api) {
      const answer = await get(`${api}${contract.hello.path}`);
      const { GREENROOM_STAGE: stage, env } = process.env;
      assert.deepStrictEqual(Object.keys(answer), contract.hello.fields);
      assert.ok([stage, env].includes(answer.stage), `${answer.stage} answers for ${stage}`);
      assert.strictEqual(answer.env, env);
    },
  },
  'the site knows an API': {
    of: output('FRONTEND_URL'),
    async check(url) {
      const config = await get(`${url}/config.json`);
      assert.match(config.api, /^https:\/\//);
      assert.strictEqual(config.path, contract.hello.path);
    },
  },
};

async function main() {
  const due = Object.entries(CHECKS).filter(([, { of }]) => of);
  assert.ok(due.length > 0, 'no output of any service is known: nothing of the workshop is deployed here');
  for (const [title, { of, check }] of due) {
    try {
      await check(of);
    } catch (error) {
      throw new Error(`${title}: not so with ${of}: ${error.message}`);
    }
    console.log(`ok: ${title} (${of})`);
  }
}

main().catch((error) => {
  console.error(`error: ${error.message}`);
  process.exitCode = 1;
});

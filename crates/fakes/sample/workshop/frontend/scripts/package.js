// Builds the site into the package directory. It is the stage's own: config.json holds the address
// of that stage's API and what the contract says of its answer.
const { cp, mkdir, writeFile } = require('node:fs/promises');
const { join } = require('node:path');
const { contract } = require('workshop-shared');
const { needed, run } = require('./environment.js');

function configuration(environment) {
  const api = needed(
    environment,
    'GREENROOM_OUTPUT_RESTAPI_HTTPAPIURL',
    'no restapi is deployed that this stage can read: deploy it to this stage first',
  );
  const { path, fields } = contract.hello;
  const stage = needed(environment, 'GREENROOM_STAGE', 'Greenroom sets it in its jobs');
  return { stage, api: api.replace(/\/$/, ''), path, fields, contract: contract.version };
}

async function main(environment) {
  const directory = needed(environment, 'GREENROOM_PACKAGE_DIR', 'Greenroom sets it in its jobs');
  const config = configuration(environment);
  const site = join(directory, 'site');
  await mkdir(site, { recursive: true });
  await cp(join(__dirname, '..', 'site'), site, { recursive: true });
  await writeFile(join(site, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
  console.log(`built the site; its API is ${config.api}`);
}

if (require.main === module) {
  run(main);
}
module.exports = { configuration, main };

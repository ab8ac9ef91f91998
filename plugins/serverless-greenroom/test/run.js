'use strict';

// Runs the real framework on a service in a directory of its own.
//
// osls as pinned in package.json; others besides, such as osls 3 and serverless 3, when
// GREENROOM_TEST_FRAMEWORKS names their installed packages (directories, separated by colons).

const { spawnSync } = require('child_process');
const fs = require('fs');
const os = require('os');
const path = require('path');

const plugin = path.join(__dirname, '..');
const others = (process.env.GREENROOM_TEST_FRAMEWORKS || '').split(':').filter(Boolean);

/** `{ name, version, program }` of each framework to test. */
const frameworks = [path.dirname(require.resolve('osls/package.json')), ...others].map((root) => {
  const { name, version } = JSON.parse(fs.readFileSync(path.join(root, 'package.json'), 'utf8'));
  return { name: `${name} ${version}`, version, program: path.join(root, 'bin/serverless.js') };
});

/** A service of these files, with the plugin installed; gone when the test ends. */
function service(t, files) {
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'greenroom-')));
  t.after(() => fs.rmSync(directory, { recursive: true, force: true }));
  for (const [name, content] of Object.entries(files)) {
    const file = path.join(directory, name);
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, typeof content === 'string' ? content : JSON.stringify(content));
  }
  for (const part of ['index.js', 'lib', 'package.json']) {
    const installed = path.join(directory, 'node_modules/serverless-greenroom', part);
    fs.cpSync(path.join(plugin, part), installed, { recursive: true });
  }
  return directory;
}

/** Runs a command line of the framework; nothing of this environment comes through. */
function run(framework, directory, line, environment = {}) {
  const done = spawnSync(process.execPath, [framework.program, ...line.split(' ')], {
    cwd: directory,
    encoding: 'utf8',
    env: {
      PATH: process.env.PATH,
      HOME: directory,
      CI: 'true',
      SLS_TELEMETRY_DISABLED: '1',
      SLS_TRACKING_DISABLED: '1',
      SLS_NOTIFICATIONS_MODE: 'off',
      AWS_EC2_METADATA_DISABLED: 'true',
      NODE_NO_WARNINGS: '1',
      ...environment,
    },
  });
  return { status: done.status, said: `${done.stdout}${done.stderr}` };
}

/** A file of a package. */
function packaged(directory, file) {
  return JSON.parse(fs.readFileSync(path.join(directory, file), 'utf8'));
}

const TEMPLATE = 'cloudformation-template-update-stack.json';

module.exports = { frameworks, service, run, packaged, plugin, TEMPLATE };

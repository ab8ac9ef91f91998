'use strict';

// Which commands of the framework work with the configuration's values, and which only need it to
// be readable.

/** They act on what is deployed, or on a package that was made before. */
const READING = new Set([
  'config',
  'deploy list',
  'deploy list functions',
  'doctor',
  'help',
  'info',
  'invoke',
  'logs',
  'metrics',
  'print',
  'remove',
  'rollback',
  'rollback function',
]);

/** Whether an output that is missing must end the command. */
function needsOutputs({ commands, options }) {
  if (commands[0] === 'plugin') return false;
  const command = commands.join(' ');
  if (command === 'deploy' && options && options.package) return false;
  return !READING.has(command);
}

module.exports = { needsOutputs };

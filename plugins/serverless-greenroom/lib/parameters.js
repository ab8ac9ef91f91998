'use strict';

// Parameters for `${param:key}` from the environment, as if `--param key=value` were written: what
// stands in a command line, every process of the machine can read.

const VARIABLE = 'GREENROOM_PARAMETERS';

/** The framework's source of `${param:key}`. */
const SOURCE =
  /[\\/](osls|serverless)[\\/]lib[\\/]configuration[\\/]variables[\\/]sources[\\/]instance-dependent[\\/]param\.js$/;

/** The source with our parameters; those of the command line go before them. */
function withOurs(source) {
  return (serverless) => {
    give(serverless, process.env);
    return source(serverless);
  };
}

function give(serverless, environment) {
  const ours = read(environment);
  const input = serverless && serverless.processedInput;
  if (!ours || !input || !input.options) return;
  const given = input.options.param || [];
  const named = new Set(given.map((item) => item.split('=')[0]));
  const added = Object.entries(ours).filter(([key]) => !named.has(key));
  input.options.param = [...added.map(([key, value]) => `${key}=${value}`), ...given];
}

/** An object of texts; `null` where nothing is given, as in a job. */
function read(environment) {
  const text = environment[VARIABLE];
  if (!text) return null;
  let parameters;
  try {
    parameters = JSON.parse(text);
  } catch (error) {
    throw new Error(`${VARIABLE} is no JSON: ${error.message}`);
  }
  if (parameters === null || typeof parameters !== 'object' || Array.isArray(parameters)) {
    throw new Error(`${VARIABLE} must be an object of parameters`);
  }
  return parameters;
}

module.exports = { VARIABLE, SOURCE, withOurs, give };

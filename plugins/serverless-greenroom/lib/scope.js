'use strict';

// What this run of the framework may read: the outputs that Greenroom wrote into the file that
// GREENROOM_OUTPUTS_FILE names, and how a reference finds its value there.

const fs = require('fs');

const VARIABLE = 'GREENROOM_OUTPUTS_FILE';
const NAMES_MAX = 20;

/** The scope of this environment; `null` when there is none, as on a developer's machine. */
function read(environment) {
  const file = environment[VARIABLE];
  if (!file) return null;
  let scope;
  try {
    scope = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`the outputs in ${file} (${VARIABLE}) cannot be read: ${error.message}`);
  }
  const isText = (value) => typeof value === 'string' && value !== '';
  if (!scope || ![scope.app, scope.stage, scope.region].every(isText)) {
    throw new Error(
      `${file} (${VARIABLE}) holds no outputs: it must be JSON with app, stage, region and published`
    );
  }
  return { fallback_stage: null, ...scope, published: scope.published || [] };
}

/** `{ value }`, or `{ missing }`: a sentence that says where was looked and what is there. */
function resolve(scope, reference) {
  if (reference.raw.slice(2).includes('${')) {
    return { missing: `${reference.raw} holds a variable that cannot be resolved here` };
  }
  const looked = [];
  for (const place of places(scope, reference)) {
    const answer = look(scope, reference, place);
    if (answer.value !== undefined) return answer;
    looked.push(told(scope, reference, place, answer));
  }
  const { raw, service } = reference;
  return {
    missing:
      `${raw} is not published: ${looked.join('; ')}. ` +
      `Correct the reference, or deploy ${service} with that output first`,
  };
}

/** Where to look, in order: only a reference that leaves the stage open may fall back. */
function places(scope, reference) {
  const app = reference.app || scope.app;
  const region = reference.region || scope.region;
  const found = [{ app, stage: reference.stage || scope.stage, region }];
  if (scope.fallback_stage && !reference.stage && app === scope.app) {
    found.push({ app, stage: scope.fallback_stage, region });
  }
  return found;
}

function look(scope, { service, key }, place) {
  const here = scope.published.filter(
    ({ app, stage, region }) =>
      app === place.app && stage === place.stage && region === place.region
  );
  // Greenroom's name of a service counts more than the framework's.
  const ofService = [
    ...here.filter((published) => published.service === service),
    ...here.filter((published) => published.service !== service && published.published_as === service),
  ].map((published) => published.outputs || {});
  const holder = ofService.find((outputs) => Object.prototype.hasOwnProperty.call(outputs, key));
  if (holder) return { value: holder[key] };
  if (ofService.length > 0) return { keys: ofService.flatMap((outputs) => Object.keys(outputs)) };
  return { services: here.map(shown) };
}

function shown({ service, published_as: name }) {
  return name && name !== service ? `${service} (${name})` : service;
}

function told(scope, { service }, { app, stage, region }, { keys, services }) {
  const place = app === scope.app ? `stage ${stage}` : `stage ${stage} of app ${app}`;
  const isOwn = app === scope.app && stage === scope.stage;
  let what;
  if (keys) {
    what = keys.length > 0 ? `${service} publishes ${listed(keys)}` : `${service} publishes nothing`;
  } else if (services.length > 0) {
    what = `nothing is published by ${service}, only by ${listed(services)}`;
  } else if (isOwn) {
    what = 'nothing is published yet';
  } else {
    what =
      `nothing is published that stage ${scope.stage} may read ` +
      '(it reads the long-lived stages of its AWS account)';
  }
  return `in ${place} (${region}) ${what}`;
}

function listed(names) {
  const sorted = [...names].sort();
  const more = sorted.length - NAMES_MAX;
  const text = sorted.slice(0, NAMES_MAX).join(', ');
  return more > 0 ? `${text} and ${more} more` : text;
}

module.exports = { VARIABLE, read, resolve };

'use strict';

// The `outputs:` of a service: literal values go into greenroom-outputs.json beside the package,
// values that only CloudFormation knows become outputs of the stack.

const crypto = require('crypto');

const KEY = /^[A-Za-z0-9_-]+$/;

/**
 * From resolved `outputs` to `{ file, template }`: what greenroom-outputs.json says, and the
 * template outputs to add. `taken` are the names of the outputs the template has already.
 */
function publish(outputs, taken) {
  const file = {};
  const template = {};
  const used = new Set(taken);
  if (outputs === null || outputs === undefined) return { file, template };
  if (typeof outputs !== 'object' || Array.isArray(outputs)) {
    throw new Error('outputs must be keys with values, as in `table_name: !Ref Table`');
  }
  for (const [key, value] of Object.entries(outputs)) {
    if (!KEY.test(key)) {
      throw new Error(`outputs.${key}: a key is made of letters, digits, underscores and dashes`);
    }
    if (value === null || value === undefined) {
      throw new Error(`outputs.${key} has no value: give it one, or remove it`);
    }
    if (hasIntrinsic(value)) {
      const name = outputName(key, used);
      used.add(name);
      template[name] = { Value: templateValue(value) };
      file[key] = { stack_output: name };
    } else {
      file[key] = { value: typeof value === 'object' ? JSON.stringify(value) : String(value) };
    }
  }
  return { file, template };
}

/** `Ref` and `Fn::…` stand alone in their object. */
function isIntrinsic(value) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  const keys = Object.keys(value);
  return keys.length === 1 && (keys[0] === 'Ref' || keys[0].startsWith('Fn::'));
}

function hasIntrinsic(value) {
  if (value === null || typeof value !== 'object') return false;
  return isIntrinsic(value) || Object.values(value).some(hasIntrinsic);
}

/** Output names of a template hold letters and digits only, so two keys may come to the same. */
function outputName(key, used) {
  const words = key.split(/[_-]+/).filter(Boolean);
  const name = `GreenroomOutput${words.map((w) => w[0].toUpperCase() + w.slice(1)).join('')}`;
  if (!used.has(name) && words.length > 0) return name;
  return name + crypto.createHash('sha256').update(key).digest('hex').slice(0, 8);
}

/** An output of a stack is a text: what holds intrinsics further in becomes JSON with holes. */
function templateValue(value) {
  if (isIntrinsic(value)) return value;
  const holes = {};
  const json = (part) => {
    if (isIntrinsic(part)) {
      const name = `Value${Object.keys(holes).length}`;
      holes[name] = part;
      return `"\${${name}}"`;
    }
    if (Array.isArray(part)) return `[${part.map(json).join(',')}]`;
    if (part !== null && typeof part === 'object') {
      const entries = Object.entries(part).map(([key, item]) => `${literal(key)}:${json(item)}`);
      return `{${entries.join(',')}}`;
    }
    return literal(part);
  };
  const text = json(value);
  return { 'Fn::Sub': [text, holes] };
}

/** `${!x}` is what Fn::Sub leaves as `${x}`. */
function literal(value) {
  return JSON.stringify(value).replace(/\$\{/g, '${!');
}

module.exports = { publish };

'use strict';

// References to outputs: `${output:service.key}` or `${output:app:stage:region:service.key}`,
// where an empty app, stage or region means "here". So does `.`, for the framework cannot read a
// variable that begins `${output::`.
//
// Greenroom itself reads references by the same rules; test/cases.json holds both to them.

/** Where the outermost `${…}` of a text begin and end; `\${` begins none. */
function variables(text) {
  const open = [];
  const all = [];
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '$' && text[at + 1] === '{' && !isEscaped(text, at)) {
      open.push(at);
      at += 1;
    } else if (text[at] === '}' && open.length > 0) {
      all.push({ start: open.pop(), end: at + 1 });
    }
  }
  all.sort((a, b) => a.start - b.start);
  let end = 0;
  return all.filter((range) => {
    if (range.start < end) return false;
    end = range.end;
    return true;
  });
}

function isEscaped(text, at) {
  let slashes = 0;
  while (text[at - 1 - slashes] === '\\') slashes += 1;
  return slashes % 2 === 1;
}

/** The places of a text that belong to no variable. */
function placesOutside(text) {
  const places = [];
  let from = 0;
  for (const { start, end } of [...variables(text), { start: text.length, end: text.length }]) {
    for (let at = from; at < start; at += 1) places.push(at);
    from = end;
  }
  return places;
}

/** Cuts a text at a character, but not inside a variable. */
function split(text, separator) {
  const pieces = [];
  let begin = 0;
  for (const at of placesOutside(text)) {
    if (text[at] !== separator) continue;
    pieces.push(text.slice(begin, at));
    begin = at + 1;
  }
  return [...pieces, text.slice(begin)];
}

/** The sources of a variable, in the order in which they are tried. */
function sources(inside) {
  const pieces = [];
  let begin = 0;
  let quote = null;
  for (const at of placesOutside(inside)) {
    const char = inside[at];
    if (quote) {
      if (char === quote) quote = null;
    } else if ((char === "'" || char === '"') && /(^|:)\s*$/.test(inside.slice(begin, at))) {
      quote = char;
    } else if (char === ',') {
      pieces.push(inside.slice(begin, at).trim());
      begin = at + 1;
    }
  }
  return [...pieces, inside.slice(begin).trim()];
}

/** `'text'` and `"text"` without their quotes; `null` for a text that has none. */
function unquoted(text) {
  const found = /^'([^]*)'$|^"([^]*)"$/.exec(text);
  return found && (found[1] === undefined ? found[2] : found[1]);
}

/** Letters, digits, the given others, and variables. */
function isPart(text, others) {
  const outside = placesOutside(text).map((at) => text[at]).join('');
  return [...outside].every((char) => /[A-Za-z0-9]/.test(char) || others.includes(char));
}

/** The reference that a text is, with or without its `${output:` and `}`; else `null`. */
function parse(text) {
  const trimmed = text.trim();
  const [first] = variables(trimmed);
  let address = trimmed;
  if (first && first.start === 0 && first.end === trimmed.length) {
    if (!trimmed.startsWith('${output:')) return null;
    address = trimmed.slice('${output:'.length, -1);
  }
  address = address.trim();
  const bare = unquoted(address);
  if (bare !== null) address = bare;
  const parts = split(address, ':');
  if (parts.length !== 1 && parts.length !== 4) return null;
  const last = parts.pop();
  const place = parts.length === 0 ? ['', '', ''] : parts;
  const pieces = split(last, '.');
  const key = pieces.pop();
  const service = last.slice(0, Math.max(0, last.length - key.length - 1));
  const isValid =
    pieces.length > 0 &&
    service !== '' &&
    key !== '' &&
    [...place, service].every((part) => isPart(part, '-_.')) &&
    isPart(key, '-_');
  if (!isValid) return null;
  const [app, stage, region] = place.map((part) => (part === '.' ? '' : part));
  return { raw: `\${output:${address}}`, app, stage, region, service, key };
}

/** What to tell of a text that is no reference. */
function invalid(text) {
  return (
    `${text} does not name an output: write \${output:service.key} or ` +
    '${output:app:stage:region:service.key}, where an empty app, stage or region means this one'
  );
}

/** What the framework leaves as text: a reference whose first part is empty. */
const UNREAD = /(?<!\\)\$\{output:\s*:/;

/**
 * The text with each `${output::…}` replaced by what `lookUp(reference)` says: `{ value }`, or
 * `{ missing }`, a sentence. All other variables stay. Throws the sentence as an `Error`.
 */
function substitute(text, lookUp) {
  let replaced = '';
  let from = 0;
  for (const { start, end } of variables(text)) {
    replaced += text.slice(from, start);
    from = end;
    const variable = text.slice(start, end);
    replaced += UNREAD.test(variable) ? firstValue(variable, lookUp) : variable;
  }
  return replaced + text.slice(from);
}

function firstValue(variable, lookUp) {
  let missing = null;
  for (const source of sources(variable.slice(2, -1))) {
    const literal = unquoted(source);
    if (literal !== null) return literal;
    if (/^(true|false|-?[0-9]+(\.[0-9]+)?)$/.test(source)) return source;
    if (!source.startsWith('output:')) {
      throw new Error(
        `${variable}: the framework does not read ${source} behind \${output:: — ` +
          'write a dot for the empty first part, ${output:.:…}'
      );
    }
    const reference = parse(source.slice('output:'.length));
    if (!reference) throw new Error(invalid(`\${${source}}`));
    const answer = lookUp(reference);
    if (answer.missing === undefined) return answer.value;
    missing = answer.missing;
  }
  throw new Error(missing);
}

/** The text with a dot for each first part that is empty, so that the framework can read it. */
function readable(text) {
  return text.replace(new RegExp(UNREAD, 'g'), '${output:.:');
}

module.exports = { UNREAD, parse, invalid, readable, substitute };

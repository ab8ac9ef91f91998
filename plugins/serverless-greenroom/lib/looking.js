'use strict';

// A package that is made to see what a commit would change in a stage, without the right to read
// what is secret there: a fixed text stands in the place of each value that is not known.

/** Names the text. */
const VARIABLE = 'GREENROOM_PLACEHOLDER';
/** The framework's own sources that read such values from the stage's account. */
const SOURCE = /\$\{\s*(?:ssm|s3)\s*[:(]/;

/** The text with each variable of such a source replaced. */
function withoutSources(text, placeholder) {
  let done = '';
  let rest = text;
  for (;;) {
    const found = SOURCE.exec(rest);
    const end = found ? closing(rest, found.index + 2) : -1;
    if (end === -1) return done + rest;
    done += rest.slice(0, found.index) + placeholder;
    rest = rest.slice(end + 1);
  }
}

/** Where the brace closes that is open at `from`; variables may stand inside it. */
function closing(text, from) {
  let depth = 1;
  for (let at = from; at < text.length; at += 1) {
    if (text.startsWith('${', at)) depth += 1;
    else if (text[at] === '}') {
      depth -= 1;
      if (depth === 0) return at;
    }
  }
  return -1;
}

module.exports = { VARIABLE, withoutSources };

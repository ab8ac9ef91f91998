'use strict';

// Serverless plugin: `${output:service.key}` and `outputs:` with Greenroom.
//
// What always holds: a command that makes or runs something with the configuration ends when an
// output is missing; one that only looks or removes goes on with a placeholder. Nothing here needs
// the network or credentials.

const fs = require('fs');
const path = require('path');
const { needsOutputs } = require('./lib/command');
const { UNREAD, parse, invalid, readable, substitute } = require('./lib/reference');
const { publish } = require('./lib/publish');
const deploy = require('./lib/deploy');
const looking = require('./lib/looking');
const scopes = require('./lib/scope');

/** Stands for a missing output where the value does not matter. */
const PLACEHOLDER = 'missing-output';
const FILE = 'greenroom-outputs.json';

class GreenroomPlugin {
  constructor(serverless, options, utils) {
    this.serverless = serverless;
    this.log = utils && utils.log;
    this.missing = new Set();
    this.configurationVariablesSources = {
      output: { resolve: async ({ address }) => this.resolve(address) },
    };
    this.hooks = {
      'before:package:compileFunctions': () => this.tellStage(),
      'before:aws:package:finalize:saveServiceState': () => this.publish(),
      'before:aws:deploy:deploy:createStack': () => this.tagStack(),
      'after:aws:deploy:deploy:updateStack': () => this.untag(),
      'before:aws:deploy:finalize:cleanup': () => deploy.keepDeployed(this.serverless),
    };
    this.makeReadable();
    this.fillInBeforeValidation();
  }

  /** After all plugins are loaded: `serverless` 3 defines `outputs` itself, osls does not. */
  asyncInit() {
    try {
      this.serverless.configSchemaHandler.defineTopLevelProperty('outputs', { type: 'object' });
    } catch (error) {
      if (error.code !== 'SCHEMA_COLLISION') throw error;
    }
    this.standInStage();
  }

  /**
   * On somebody's own machine a command has the credentials and parameters of one stage, and
   * `serverless.yml` may well name another one, which `npm run deploy` would then deploy over.
   */
  standInStage() {
    const ours = process.env.GREENROOM_ONLY_STAGE;
    if (!ours) return;
    const stage = this.serverless.getProvider('aws').getStage();
    if (stage === ours) return;
    throw this.error(
      `this command would work on the stage ${stage}, and runs for ${ours} (GREENROOM_ONLY_STAGE): ` +
        `say \`--stage ${ours}\``
    );
  }

  /**
   * The framework takes `${output::` for something of CloudFormation's, like `${AWS::Region}`.
   * With a dot for the empty part it is a variable like any other, with fallbacks and a place in
   * every error.
   */
  makeReadable() {
    const configuration = this.serverless.configurationInput;
    const placeholder = process.env[looking.VARIABLE];
    for (const { keys, text } of texts(configuration)) {
      let read = UNREAD.test(text) ? readable(text) : text;
      if (placeholder) read = looking.withoutSources(read, placeholder);
      if (read !== text) this.serverless.extendConfiguration(keys, read);
    }
  }

  /**
   * What came later (from a file or a parameter whose name was itself a variable) is filled in
   * when all is resolved, before the framework looks at the values' types.
   */
  fillInBeforeValidation() {
    const { service } = this.serverless;
    if (typeof service.reloadServiceFileParam !== 'function') {
      this.hooks.initialize = () => this.fillIn();
      return;
    }
    const reload = service.reloadServiceFileParam;
    service.reloadServiceFileParam = (...parameters) => {
      this.fillIn();
      reload.apply(service, parameters);
      // A placeholder need not be a number where one is wanted.
      const placeholders = this.missing.size > 0 || process.env[looking.VARIABLE];
      if (placeholders) service.configValidationMode = 'off';
    };
  }

  /** The variable source. No value lets the framework go on to the variable's next source. */
  resolve(address) {
    // Errors show it without the dot of `readable`.
    const written = String(address === undefined ? '' : address).replace(/^\.:/, ':');
    const reference = parse(written);
    if (!reference) throw this.error(invalid(`\${output:${written}}`));
    const { value, missing } = this.lookUp(reference);
    if (missing !== undefined) return { value: null, eventualErrorMessage: missing };
    // What an output holds is text: the framework must not find variables in it.
    return { value: value.replace(/(\\*)\$\{/g, '$1$1\\${') };
  }

  lookUp(reference) {
    let answer;
    try {
      answer = this.scope()
        ? scopes.resolve(this.scope(), reference)
        : { missing: unknownHere(reference) };
    } catch (error) {
      answer = { missing: `${reference.raw}: ${error.message}` };
    }
    const unknown = process.env[looking.VARIABLE];
    const needed = !unknown && needsOutputs(this.serverless.processedInput);
    if (answer.missing === undefined || needed) return answer;
    const placeholder = unknown || PLACEHOLDER;
    if (!this.missing.has(reference.raw)) {
      this.missing.add(reference.raw);
      if (this.log) this.log.info(`${placeholder} stands for ${answer.missing}`);
    }
    return { value: placeholder };
  }

  scope() {
    if (this.read === undefined) this.read = scopes.read(process.env);
    return this.read;
  }

  fillIn() {
    const configuration = this.serverless.configurationInput;
    const problems = [];
    for (const { holder, key, keys, text } of texts(configuration)) {
      if (!UNREAD.test(text)) continue;
      try {
        holder[key] = substitute(text, (reference) => this.lookUp(reference));
      } catch (error) {
        problems.push(`Cannot resolve variable at "${keys.join('.')}": ${error.message}`);
      }
    }
    if (problems.length > 0) throw this.error(problems.join('\n'));
  }

  /** Functions see the stage, unless the service gives them a SERVERLESS_STAGE of its own. */
  tellStage() {
    const { provider } = this.serverless.service;
    const stage = this.serverless.getProvider('aws').getStage();
    provider.environment = { SERVERLESS_STAGE: stage, ...provider.environment };
  }

  /** Beside the package's state, so that both go wherever the package goes. */
  publish() {
    const { serverless } = this;
    const compiled = serverless.service.provider.compiledCloudFormationTemplate;
    let published;
    try {
      const taken = Object.keys(compiled.Outputs || {});
      published = publish(serverless.configurationInput.outputs, taken);
    } catch (error) {
      throw this.error(error.message);
    }
    if (Object.keys(published.template).length > 0) {
      compiled.Outputs = { ...compiled.Outputs, ...published.template };
    }
    const directory = path.join(serverless.serviceDir, '.serverless');
    fs.mkdirSync(directory, { recursive: true });
    const text = `${JSON.stringify({ outputs: published.file }, null, 2)}\n`;
    fs.writeFileSync(path.join(directory, FILE), text);
  }

  /** For the calls that make and change the stack, and for nothing that comes after them. */
  tagStack() {
    let tags;
    try {
      tags = deploy.stackTags(process.env);
    } catch (error) {
      throw this.error(error.message);
    }
    const { provider } = this.serverless.service;
    const own = provider.stackTags;
    this.untag = () => {
      if (own === undefined) delete provider.stackTags;
      else provider.stackTags = own;
    };
    if (tags) provider.stackTags = { ...own, ...tags };
  }

  untag() {}

  /** Shown without a stack trace. */
  error(message) {
    return new this.serverless.classes.Error(message, 'GREENROOM_OUTPUT');
  }
}

/** By this mark `preload.js` sees that the user has added the plugin, under whatever name. */
GreenroomPlugin.isGreenroom = true;

function unknownHere(reference) {
  return (
    `${reference.raw} is known to Greenroom only, and ${scopes.VARIABLE} names no file with outputs: ` +
    "set it, or give a fallback, ${output:service.key, 'value'}"
  );
}

/** All texts in a configuration, each with the keys that lead to it. */
function texts(configuration) {
  const found = [];
  const visit = (holder, keys) => {
    for (const key of Object.keys(holder)) {
      const value = holder[key];
      const path = [...keys, key];
      if (typeof value === 'string') found.push({ holder, key, keys: path, text: value });
      else if (value !== null && typeof value === 'object') visit(value, path);
    }
  };
  visit(configuration || {}, []);
  return found;
}

module.exports = GreenroomPlugin;

'use strict';

// Adds the plugin to every run of the framework in this process, for a service that does not name
// it: `node --require …/preload.js`, or the same in NODE_OPTIONS.
//
// The framework itself reads the configuration, in whatever language it is; only the list of the
// plugins that it made of it gets one more. No file is written or changed, and no other program
// notices.

const Module = require('module');

const parameters = require('./lib/parameters');

/** The framework's own modules, of osls or serverless, however it was installed. */
const PLUGIN_MANAGER = /[\\/](osls|serverless)[\\/]lib[\\/]classes[\\/]plugin-manager\.js$/;

const load = Module._extensions['.js'];
Module._extensions['.js'] = function loadAndExtend(module, filename) {
  load.call(this, module, filename);
  if (PLUGIN_MANAGER.test(filename)) extend(module.exports);
  if (parameters.SOURCE.test(filename)) module.exports = parameters.withOurs(module.exports);
};

function extend(PluginManager) {
  const { resolveServicePlugins } = PluginManager.prototype;
  PluginManager.prototype.resolveServicePlugins = async function withGreenroom(...parameters) {
    const plugins = await resolveServicePlugins.apply(this, parameters);
    if (plugins.some((plugin) => plugin && plugin.isGreenroom)) return plugins;
    const Plugin = require('./index.js');
    const name = { value: 'serverless-greenroom', configurable: true, writable: true };
    Object.defineProperty(Plugin, '_serverlessExternalPluginName', name);
    return [...plugins, Plugin];
  };
}

'use strict';

// What a deploy by Greenroom does besides: the stack says whose it is, and the bucket keeps what the
// stack was made of.

const VARIABLE = 'GREENROOM_STACK_TAGS';

/** The tags for the stack, as Greenroom gives them to the job; `null` on any other machine. */
function stackTags(environment) {
  const text = environment[VARIABLE];
  if (!text) return null;
  let tags;
  try {
    tags = JSON.parse(text);
  } catch (error) {
    throw new Error(`${VARIABLE} is no JSON: ${error.message}`);
  }
  if (tags === null || typeof tags !== 'object' || Array.isArray(tags)) {
    throw new Error(`${VARIABLE} must be an object of tags`);
  }
  return tags;
}

/**
 * The framework keeps the newest five packages in the stack's bucket and deletes the others, and
 * all of one that changed nothing. A package that was deployed once more may be older than five:
 * then the bucket no longer has what the stack runs, and CloudFormation could not come back to it
 * when a later update fails.
 */
function keepDeployed(serverless) {
  const directory = serverless.service.package && serverless.service.package.artifactDirectoryName;
  if (!directory) return;
  const deployed = `${directory.replace(/\/+$/, '')}/`;
  for (const plugin of serverless.pluginManager.plugins) {
    if (typeof plugin.cleanupS3Bucket !== 'function') continue;
    if (typeof plugin.removeObjects !== 'function') continue;
    const { removeObjects } = plugin;
    plugin.removeObjects = function removeOthers(objects) {
      const others = (objects || []).filter(({ Key }) => !Key.startsWith(deployed));
      return removeObjects.call(this, others);
    };
  }
}

module.exports = { stackTags, keepDeployed };

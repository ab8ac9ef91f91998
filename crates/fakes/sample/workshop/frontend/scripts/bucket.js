// The bucket that holds the site of one app, stage and account: no two copies ever share one.
const { createHash } = require('node:crypto');
const { S3Client } = require('@aws-sdk/client-s3');
const { GetCallerIdentityCommand, STSClient } = require('@aws-sdk/client-sts');
const { needed } = require('./environment.js');

// Amazon S3's "General purpose bucket naming rules".
const NAME_MAX_CHARACTERS = 63;
const DIGEST_CHARACTERS = 8;

// `<app>-frontend-<stage>-<account>`; where that is too long, the end of the stage becomes a digest.
function bucketName({ app, stage, account }) {
  const front = `${app}-frontend-${stage}`.toLowerCase();
  const room = NAME_MAX_CHARACTERS - account.length - 1;
  if (front.length <= room) {
    return `${front}-${account}`;
  }
  const digest = createHash('sha256').update(front).digest('hex').slice(0, DIGEST_CHARACTERS);
  return `${front.slice(0, room - DIGEST_CHARACTERS - 1)}-${digest}-${account}`;
}

// The site's public address, as Amazon S3 serves it.
function siteUrl(bucket, region) {
  return `http://${bucket}.s3-website-${region}.amazonaws.com`;
}

// The bucket of the stage that this job is for, and a client that reaches it.
async function locate(environment) {
  const in_a_job = 'Greenroom sets it in its jobs';
  const app = needed(environment, 'GREENROOM_APP', in_a_job);
  const stage = needed(environment, 'GREENROOM_STAGE', in_a_job);
  const region = needed(environment, 'GREENROOM_REGION', in_a_job);
  const { Account: account } = await new STSClient({ region }).send(new GetCallerIdentityCommand({}));
  // an endpoint of one's own has no name for every bucket
  const s3 = new S3Client({ region, forcePathStyle: Boolean(environment.AWS_ENDPOINT_URL) });
  return { s3, region, bucket: bucketName({ app, stage, account }) };
}

module.exports = { NAME_MAX_CHARACTERS, bucketName, locate, siteUrl };

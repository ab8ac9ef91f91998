// Puts the packaged site into its bucket and says what came of it: `url` and `bucket` are this
// service's outputs. Running it again, also after a run that was cut off, ends in the same place.
const { readdir, readFile, writeFile } = require('node:fs/promises');
const { extname, join, relative, sep } = require('node:path');
const {
  CreateBucketCommand, DeleteObjectsCommand, HeadBucketCommand, PutBucketPolicyCommand,
  PutBucketWebsiteCommand, PutObjectCommand, PutPublicAccessBlockCommand, paginateListObjectsV2,
} = require('@aws-sdk/client-s3');
const { locate, siteUrl } = require('./bucket.js');
const { needed, run } = require('./environment.js');

const INDEX = 'index.html';
const TYPES = {
  '.css': 'text/css; charset=utf-8',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json',
};

// Below a directory: key -> file. The index comes last, so that it never names what is not there.
async function files(directory) {
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const found = entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .map((file) => [relative(directory, file).split(sep).join('/'), file]);
  return new Map(found.sort(([a], [b]) => (a === INDEX) - (b === INDEX) || (a < b ? -1 : 1)));
}

function contentType(key) {
  return TYPES[extname(key)] ?? 'application/octet-stream';
}

async function prepare({ s3, bucket, region }) {
  try {
    await s3.send(new HeadBucketCommand({ Bucket: bucket }));
  } catch (error) {
    if (error.$metadata?.httpStatusCode !== 404) {
      throw error;
    }
    // us-east-1 is no location: S3 refuses it by name
    const elsewhere = { CreateBucketConfiguration: { LocationConstraint: region } };
    await s3.send(new CreateBucketCommand({ Bucket: bucket, ...(region === 'us-east-1' ? {} : elsewhere) }));
  }
  // the site is public, and nothing but the site is in this bucket
  await s3.send(new PutPublicAccessBlockCommand({
    Bucket: bucket,
    PublicAccessBlockConfiguration: {
      BlockPublicAcls: true, IgnorePublicAcls: true, BlockPublicPolicy: false, RestrictPublicBuckets: false,
    },
  }));
  await s3.send(new PutBucketPolicyCommand({
    Bucket: bucket,
    Policy: JSON.stringify({
      Version: '2012-10-17',
      Statement: [{
        Effect: 'Allow', Principal: '*', Action: 's3:GetObject', Resource: `arn:aws:s3:::${bucket}/*`,
      }],
    }),
  }));
  await s3.send(new PutBucketWebsiteCommand({
    Bucket: bucket,
    WebsiteConfiguration: { IndexDocument: { Suffix: INDEX } },
  }));
}

async function fill({ s3, bucket }, site) {
  for (const [key, file] of site) {
    await s3.send(new PutObjectCommand({
      Bucket: bucket, Key: key, Body: await readFile(file), ContentType: contentType(key),
    }));
  }
  for await (const page of paginateListObjectsV2({ client: s3 }, { Bucket: bucket })) {
    const stale = (page.Contents ?? []).filter(({ Key }) => !site.has(Key)).map(({ Key }) => ({ Key }));
    if (stale.length > 0) {
      await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: stale } }));
    }
  }
}

async function main(environment) {
  const packaged = needed(environment, 'GREENROOM_PACKAGE_DIR', 'Greenroom sets it in its jobs');
  const publish = needed(environment, 'GREENROOM_PUBLISH_FILE', 'Greenroom sets it in its jobs');
  const site = await files(join(packaged, 'site'));
  const place = await locate(environment);
  await prepare(place);
  await fill(place, site);
  const outputs = { bucket: place.bucket, url: siteUrl(place.bucket, place.region) };
  await writeFile(publish, `${JSON.stringify(outputs)}\n`);
  console.log(`${site.size} files are in ${place.bucket}; ${outputs.url}`);
}

if (require.main === module) {
  run(main);
}
module.exports = { contentType, files };

// Takes the site down: empties its bucket and deletes it. A bucket that is gone is as it should be.
const {
  DeleteBucketCommand, DeleteObjectsCommand, NoSuchBucket, paginateListObjectsV2,
} = require('@aws-sdk/client-s3');
const { locate } = require('./bucket.js');
const { run } = require('./environment.js');

async function empty({ s3, bucket }) {
  for await (const { Contents = [] } of paginateListObjectsV2({ client: s3 }, { Bucket: bucket })) {
    if (Contents.length > 0) {
      const objects = Contents.map(({ Key }) => ({ Key }));
      await s3.send(new DeleteObjectsCommand({ Bucket: bucket, Delete: { Objects: objects } }));
    }
  }
}

async function main(environment) {
  const place = await locate(environment);
  try {
    await empty(place);
    await place.s3.send(new DeleteBucketCommand({ Bucket: place.bucket }));
    console.log(`${place.bucket} is gone`);
  } catch (error) {
    if (!(error instanceof NoSuchBucket || error.name === 'NoSuchBucket')) {
      throw error;
    }
    console.log(`${place.bucket} was gone already`);
  }
}

run(main);

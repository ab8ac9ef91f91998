const { test } = require('node:test');
const assert = require('node:assert');
const { NAME_MAX_CHARACTERS, bucketName, siteUrl } = require('../scripts/bucket.js');

const account = '111111111111';

test('a bucket is named after app, stage and account', () => {
  assert.strictEqual(bucketName({ app: 'workshop', stage: 'Dev', account }), `workshop-frontend-dev-${account}`);
});

test('long stages fit, and two of them never share a bucket', () => {
  const stage = 'feature-with-a-very-long-name-that-goes-on';
  const [one, other] = ['-a', '-b'].map((end) => bucketName({ app: 'workshop', stage: stage + end, account }));
  assert.ok(one.length <= NAME_MAX_CHARACTERS, one);
  assert.match(one, /^[a-z0-9][a-z0-9-]+-111111111111$/);
  assert.notStrictEqual(one, other);
});

test('the site has the address that S3 gives websites', () => {
  assert.strictEqual(siteUrl('b', 'eu-west-1'), 'http://b.s3-website-eu-west-1.amazonaws.com');
});

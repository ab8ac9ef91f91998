// GET of JSON at an AWS address. With AWS_ENDPOINT_URL (a local AWS) the address is only a name:
// then the endpoint is called and told which API or bucket is meant.
const http = require('node:http');
const https = require('node:https');
const { isIP } = require('node:net');

const TIMEOUT_MS = 10_000;
const API_HOST = /^([a-z0-9]+)\.execute-api\.([a-z0-9-]+)\./;
const SITE_HOST = /^([a-z0-9-]+)\.s3-website[.-]/;

// Where to call instead of `url`, and with which headers.
function locally(url, environment) {
  const endpoint = new URL(environment.AWS_ENDPOINT_URL);
  const [, api, region] = API_HOST.exec(url.hostname) ?? [];
  if (api) {
    // the account is that of the access key; the signature of a public call is not looked at
    const scope = `${environment.AWS_ACCESS_KEY_ID}/20260101/${region}/execute-api/aws4_request`;
    return [new URL(url.pathname, endpoint), {
      host: `${api}.execute-api.localhost:${endpoint.port}`,
      authorization: `AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=0`,
    }];
  }
  const [, bucket] = SITE_HOST.exec(url.hostname) ?? [];
  if (bucket) {
    return [new URL(`/${bucket}${url.pathname}`, endpoint), {}];
  }
  throw new Error(`${url} is the address of no API and no site`);
}

function get(address) {
  const wanted = new URL(address);
  const [url, headers] = process.env.AWS_ENDPOINT_URL ? locally(wanted, process.env) : [wanted, {}];
  const client = url.protocol === 'http:' ? http : https;
  // the certificate is that of the endpoint, whatever the host header says
  const servername = isIP(url.hostname) ? '' : url.hostname;
  return new Promise((resolve, reject) => {
    const request = client.get(url, { headers, servername, timeout: TIMEOUT_MS }, (response) => {
      const chunks = [];
      response.on('error', reject);
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => {
        const text = Buffer.concat(chunks).toString();
        try {
          if (response.statusCode !== 200) {
            throw new Error(`status ${response.statusCode}: ${text}`);
          }
          resolve(JSON.parse(text));
        } catch (error) {
          reject(new Error(`GET ${address}: ${error.message}`));
        }
      });
    });
    request.on('timeout', () => request.destroy(new Error(`no answer within ${TIMEOUT_MS} ms`)));
    request.on('error', (error) => reject(new Error(`GET ${address}: ${error.message}`)));
  });
}

module.exports = { get };

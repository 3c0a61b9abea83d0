// Run by `helm test` inside the cluster: gRPC and HTTP respond, with the certificate that clients trust.
import { connect } from 'node:http2';

const { GRPC_URL, JWKS_URL } = process.env;

const grpcCall = (url, path) =>
  new Promise((resolve, reject) => {
    const session = connect(url);
    session.on('error', reject);
    session.setTimeout(10_000, () => session.destroy(new Error(`${url} does not answer`)));
    const call = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    let status;
    const take = (headers) => {
      status = headers['grpc-status'] ?? status;
    };
    call
      .on('response', take)
      .on('trailers', take)
      .on('error', reject)
      .on('end', () => {
        session.close();
        resolve(status);
      });
    call.resume();
    call.end(Buffer.alloc(5)); // an empty message
  });

const status = await grpcCall(GRPC_URL, '/grpc.health.v1.Health/Check');
if (status !== '0') throw new Error(`gRPC: Health/Check answered ${status}`);
console.log(`${GRPC_URL} serves gRPC`);

const response = await fetch(JWKS_URL, { signal: AbortSignal.timeout(10_000) });
if (!response.ok) throw new Error(`HTTP: ${JWKS_URL} answered ${response.status}`);
const { keys } = await response.json();
if (keys.length === 0) throw new Error(`HTTP: ${JWKS_URL} has no key: is there a SigningKey?`);
console.log(`${JWKS_URL} publishes ${keys.length} keys`);

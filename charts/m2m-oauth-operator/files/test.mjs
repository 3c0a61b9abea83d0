// Run by `helm test` inside the cluster: gRPC and HTTP respond, with the certificate that clients trust. A listener that requires a
// client certificate, where the test has none, rejects it.
import { readFileSync } from 'node:fs';
import { get as getPlain } from 'node:http';
import { connect } from 'node:http2';
import { get as getSecure } from 'node:https';
import { connect as connectTls } from 'node:tls';

const { GRPC_URL, JWKS_URL, CLIENT_CERTIFICATE, CERTIFICATE_REQUIRED = '' } = process.env;
const TIMEOUT_MS = 10_000;
const required = CERTIFICATE_REQUIRED.split(' ');

const certificate = CLIENT_CERTIFICATE
  ? {
      cert: readFileSync(`${CLIENT_CERTIFICATE}/tls.crt`),
      key: readFileSync(`${CLIENT_CERTIFICATE}/tls.key`),
    }
  : {};

const grpcCall = (url, path) =>
  new Promise((resolve, reject) => {
    const session = connect(url, certificate);
    session.on('error', reject);
    session.setTimeout(TIMEOUT_MS, () => session.destroy(new Error(`${url} does not answer`)));
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

const fetchText = (url) =>
  new Promise((resolve, reject) => {
    const get = url.startsWith('https:') ? getSecure : getPlain;
    const request = get(url, { ...certificate, agent: false, timeout: TIMEOUT_MS }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (part) => {
        text += part;
      });
      response.on('error', reject).on('end', () => resolve({ status: response.statusCode, text }));
    });
    request.on('timeout', () => request.destroy(new Error(`${url} does not answer`)));
    request.on('error', reject);
  });

// Sends nothing: the server's alert would be lost with a reset of the connection.
const findRejection = ({ hostname, port }, protocol) =>
  new Promise((resolve, reject) => {
    const socket = connectTls({
      host: hostname,
      port: Number(port || 443),
      servername: hostname,
      ALPNProtocols: [protocol],
    });
    let isTrusted = false;
    socket.once('secureConnect', () => {
      isTrusted = socket.authorized;
    });
    socket.setTimeout(TIMEOUT_MS, () => socket.destroy(new Error('the connection was not rejected')));
    socket.on('error', (error) =>
      isTrusted && /CERTIFICATE_REQUIRED/.test(error.code) ? resolve(error.code) : reject(error),
    );
    socket.on('close', () => reject(new Error('the connection was closed without an alert')));
    socket.resume();
  });

if (required.includes('grpc')) {
  await findRejection(new URL(GRPC_URL), 'h2');
  console.log(`${GRPC_URL} rejects clients without a certificate`);
} else {
  const status = await grpcCall(GRPC_URL, '/grpc.health.v1.Health/Check');
  if (status !== '0') throw new Error(`gRPC: Health/Check answered ${status}`);
  console.log(`${GRPC_URL} serves gRPC`);
}

if (required.includes('http')) {
  await findRejection(new URL(JWKS_URL), 'http/1.1');
  console.log(`${JWKS_URL} rejects clients without a certificate`);
} else {
  const { status, text } = await fetchText(JWKS_URL);
  if (status !== 200) throw new Error(`HTTP: ${JWKS_URL} answered ${status}`);
  const { keys } = JSON.parse(text);
  if (keys.length === 0) throw new Error(`HTTP: ${JWKS_URL} has no key: is there a SigningKey?`);
  console.log(`${JWKS_URL} publishes ${keys.length} keys`);
}

// A service that takes calls with a token of the issuer: first the signature, by the JWKS that it fetches itself, then
// introspection, which knows of revocations. Nothing here is the operator's own code.
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';

const { ISSUER, AUDIENCE } = process.env;

const part = (text) => JSON.parse(Buffer.from(text, 'base64url').toString('utf8'));

const keyFor = async (kid) => {
  const response = await fetch(`${ISSUER}/.well-known/jwks.json`);
  const { keys } = await response.json();
  const jwk = keys.find((key) => key.kid === kid);
  if (!jwk) throw new Error('unknown key');
  return createPublicKey({ key: jwk, format: 'jwk' });
};

const verifiedClaims = async (jwt) => {
  const [header, payload, signature] = jwt.split('.');
  const { alg, kid } = part(header);
  if (alg !== 'ES256') throw new Error('another algorithm');
  const key = { key: await keyFor(kid), dsaEncoding: 'ieee-p1363' };
  const good = verify(
    'sha256',
    Buffer.from(`${header}.${payload}`),
    key,
    Buffer.from(signature, 'base64url'),
  );
  if (!good) throw new Error('bad signature');
  const claims = part(payload);
  if (claims.iss !== ISSUER) throw new Error('another issuer');
  if (!claims.aud?.includes(AUDIENCE)) throw new Error('another audience');
  if (!(claims.exp > Date.now() / 1000)) throw new Error('expired');
  return claims;
};

const introspect = async (jwt) => {
  const credentials = ['client_id', 'client_secret'].map((name) =>
    readFileSync(`/run/client/${name}`, 'utf8'),
  );
  const response = await fetch(`${ISSUER}/oauth/introspect`, {
    method: 'POST',
    headers: { authorization: `Basic ${Buffer.from(credentials.join(':')).toString('base64')}` },
    body: new URLSearchParams({ token: jwt }),
  });
  if (!response.ok) throw new Error(`introspection answered ${response.status}`);
  return response.json();
};

createServer(async (request, response) => {
  const answer = (status, body) => response.writeHead(status).end(JSON.stringify(body));
  try {
    const jwt = request.headers.authorization?.replace(/^Bearer /u, '') ?? '';
    const claims = await verifiedClaims(jwt);
    const { active, sub } = await introspect(jwt);
    if (!active) return answer(401, { reason: 'not active' });
    if (sub !== claims.sub) throw new Error('introspection speaks of another subject');
    answer(200, { sub });
  } catch (error) {
    answer(403, { reason: error.message });
  }
}).listen(8080);

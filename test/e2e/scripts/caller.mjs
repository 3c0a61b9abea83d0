// A workload that reads its token from a file before each call, and tells how the call went: one JSON line a change.
import { readFileSync } from 'node:fs';

let told = '';
setInterval(async () => {
  let line;
  try {
    const jwt = readFileSync('/run/token/token', 'utf8');
    const { jti } = JSON.parse(Buffer.from(jwt.split('.')[1], 'base64url').toString('utf8'));
    const response = await fetch(process.env.SERVICE, { headers: { authorization: `Bearer ${jwt}` } });
    line = JSON.stringify({ jti, status: response.status, ...(await response.json()) });
  } catch (error) {
    line = JSON.stringify({ error: error.message });
  }
  if (line !== told) console.log(line);
  told = line;
}, 300);

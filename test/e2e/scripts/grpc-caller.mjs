// A workload with no stored secret: its ServiceAccount's projected token is what it proves itself with, at the gRPC
// door, over and over, with some calls in flight at a time. It tells its figures every second; a failed call at once.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const grpc = createRequire('/app/package.json')('@grpc/grpc-js');
const { M2MOAuthServiceClient } = await import(
  '/app/dist/servers/grpc/generated/m2moauthserver/pb/service.js'
);

const { GRPC_TARGET, CLIENT_ID, AUDIENCE } = process.env;
const ca = readFileSync('/run/ca/ca.crt');
const client = new M2MOAuthServiceClient(GRPC_TARGET, grpc.credentials.createSsl(ca));

const createToken = () =>
  new Promise((resolve, reject) => {
    const request = {
      clientId: CLIENT_ID,
      clientSecret: '',
      grantType: 'client_credentials',
      audience: [AUDIENCE],
      scope: [],
      expiration: 0n,
      clientAssertionType: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
      clientAssertion: readFileSync('/run/assertion/token', 'utf8'),
      tokenName: 'e2e',
    };
    client.createToken(request, new grpc.Metadata(), { deadline: Date.now() + 15_000 }, (error, response) =>
      error ? reject(error) : resolve(response),
    );
  });

let created = 0;
let failed = 0;
let sub;
setInterval(() => console.log(JSON.stringify({ created, failed, sub })), 1000);

const loop = async () => {
  for (;;) {
    try {
      const { accessToken } = await createToken();
      sub = JSON.parse(Buffer.from(accessToken.split('.')[1], 'base64url').toString('utf8')).sub;
      created++;
    } catch (error) {
      failed++;
      console.log(
        JSON.stringify({ failure: `${error.code} ${error.details}`, at: new Date().toISOString() }),
      );
    }
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
};
for (let lane = 0; lane < 4; lane++) loop();

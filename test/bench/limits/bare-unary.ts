import { randomUUID } from 'node:crypto';
import { Server, ServerCredentials, type ServerUnaryCall, type sendUnaryData } from '@grpc/grpc-js';
import { joseKeyPairs } from '../../../operator/crypto/key-pairs.ts';
import {
  type CreateTokenRequest,
  type CreateTokenResponse,
  M2MOAuthServiceService,
} from '../../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';
import { connectApiServer, type StoredObject } from './api-server.ts';
import { createCopy } from './copies.ts';

/**
 * A separate process: the least that a grpc-js server can do to answer CreateToken with a JWT, for a client that it does not
 * look at. It signs as the operator does, and prints its port. Where stdin gives it an object, as JSON, it makes a copy of that for
 * each call before it answers, over a bare undici pool; without it the JWT is not recorded.
 */

/** What stdin says. */
interface Recording {
  readonly kubeconfigPath: string;
  readonly sample: StoredObject;
}

const read = async (): Promise<Recording | undefined> => {
  const text = (await process.stdin.toArray()).join('');
  return text === '' ? undefined : (JSON.parse(text) as Recording);
};

const recorderOf = ({ kubeconfigPath, sample }: Recording): (() => Promise<unknown>) => {
  const apiServer = connectApiServer(kubeconfigPath);
  return () => createCopy(apiServer, sample);
};

const recording = await read();
const record = recording ? recorderOf(recording) : async () => undefined;

const keyPairs = joseKeyPairs();
const signer = await keyPairs.signer(await keyPairs.generate('ES256'));
const LIFETIME_SECONDS = 3600;

const createToken = async ({
  clientId,
  audience,
  scope,
}: CreateTokenRequest): Promise<CreateTokenResponse> => {
  const iat = Math.floor(Date.now() / 1000);
  const claims = {
    iss: 'https://localhost:9101/m2m-oauth-server',
    jti: randomUUID(),
    sub: clientId,
    aud: audience,
    iat,
    exp: iat + LIFETIME_SECONDS,
    client_id: clientId,
    scope: scope.join(' '),
  };
  const [accessToken] = await Promise.all([signer.sign({ typ: 'at+jwt', claims }), record()]);
  return { accessToken, tokenType: 'Bearer', expiresIn: BigInt(LIFETIME_SECONDS), scope };
};

const server = new Server();
const unserved = (): never => {
  throw new Error('not served here');
};
server.addService(M2MOAuthServiceService, {
  getTokens: unserved,
  deleteTokens: unserved,
  createToken: (
    { request }: ServerUnaryCall<CreateTokenRequest, CreateTokenResponse>,
    respond: sendUnaryData<CreateTokenResponse>,
  ) => void createToken(request).then((response) => respond(null, response), respond),
});
server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  console.log(port);
});

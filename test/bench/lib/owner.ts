import { decodeJwt, decodeProtectedHeader } from 'jose';
import type { RecordFields } from '../../../operator/domain/record/token-batch.ts';
import { applyObjects } from '../../support/apply.ts';
import { eventually } from '../../support/eventually.ts';
import type { GrpcClient } from '../../support/grpc.ts';
import { type StoredObject, timedLoop } from '../limits/api-server.ts';
import { createCopy } from '../limits/copies.ts';
import { type BenchEnv, CLIENT, ISSUER, isReady, SYSTEM } from './bench-env.ts';
import { fillBatches, ISSUED_TOKENS } from './records.ts';
import { REQUEST } from './token-calls.ts';

/** How a client's tokens are recorded: an IssuedToken each, or in TokenBatches. */
export type Recording = 'PerToken' | 'Batched';
export const RECORDINGS: readonly Recording[] = ['PerToken', 'Batched'];

/** A client of the bench besides that of {@link BenchEnv}. */
export interface ClientSettings {
  readonly name: string;
  readonly owner: string;
  readonly recording: Recording;
}

/** Makes a client with the bench's secret; it is Ready when this returns, for which an operator has to lead. */
export const registerClient = async (
  { api }: BenchEnv,
  { name, owner, recording }: ClientSettings,
): Promise<StoredObject> => {
  const client = {
    ...CLIENT,
    metadata: { ...CLIENT.metadata, name },
    spec: { ...CLIENT.spec, owner, recording },
  };
  await applyObjects(api, [client], { namespace: SYSTEM });
  await eventually(async () => isReady((await api.get(client)).body), { timeoutMs: 30_000 });
  return (await api.get(client)).body;
};

/** What a TokenBatch records of a JWT. */
const contentOf = (jwt: string): RecordFields => {
  const { aud = [], scope = '', sub = '', iat = 0, exp } = decodeJwt<{ scope: string }>(jwt);
  return {
    tokenName: '',
    audience: [aud].flat(),
    scope: scope.split(' '),
    owner: sub,
    subject: sub,
    issuedAt: iat,
    expiration: exp,
    keyID: decodeProtectedHeader(jwt).kid ?? '',
    originalTokenClaims: undefined,
  };
};

/** An owner with tokens. One was issued, as its bearer; the others are copies of its record. */
export interface Owner {
  /** Its token, as a call carries it. */
  readonly authorization: string;
  /** Writes `count` more records with the bare loop: the objects that hold one each, none for those in TokenBatches. */
  fill(count: number): Promise<readonly StoredObject[]>;
}

/** Makes a client, of the same name as its owner, and its first token. */
export const makeOwner = async (
  env: BenchEnv,
  grpc: GrpcClient,
  { name, recording }: Pick<ClientSettings, 'name' | 'recording'>,
): Promise<Owner> => {
  const client = await registerClient(env, { name, owner: name, recording });
  // A client is Ready a moment before the operator's cache has it.
  const { accessToken: jwt } = await eventually(() =>
    grpc.createToken({ ...REQUEST, clientId: name, audience: [ISSUER] }),
  );
  const fillIssued = async (count: number): Promise<readonly StoredObject[]> => {
    const sample = await env.server.get(`${ISSUED_TOKENS}/${decodeJwt(jwt).jti}`);
    const objects: StoredObject[] = new Array(count);
    await timedLoop(count, async (at) => {
      objects[at] = await createCopy(env.server, sample);
    });
    return objects;
  };
  return {
    authorization: `Bearer ${jwt}`,
    fill: async (count) => {
      if (recording === 'PerToken') return fillIssued(count);
      await fillBatches(env, client, { content: contentOf(jwt), count });
      return [];
    },
  };
};

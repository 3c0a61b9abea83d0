import { namespaceOf } from '../support/api.ts';
import { applyObjects } from '../support/apply.ts';
import type { StoredObject } from './api-server.ts';
import { type BenchEnv, CLIENT } from './bench-env.ts';
import { EXPIRED_SECONDS, issuedTokensPath, writeIssuedTokens } from './records.ts';

/**
 * Many IssuedTokens that nobody asks about, in a namespace of their own, for all scenarios of a world: a hundred thousand take minutes
 * to make. They have expired, but not so long ago that an operator with its defaults would collect them.
 */

/** Their namespace, and the owner of their client. */
export const CROWD = 'bench-crowd';
/** Their collection. */
export const CROWD_PATH = issuedTokensPath(CROWD);

const CROWD_CLIENT = {
  ...CLIENT,
  metadata: { name: 'crowd', namespace: CROWD },
  spec: { ...CLIENT.spec, owner: 'crowd' },
};

/** Makes as many as are missing to `count`. */
export const gatherCrowd = async (env: BenchEnv, count: number): Promise<void> => {
  await applyObjects(env.api, [namespaceOf(CROWD), CROWD_CLIENT]);
  const client = (await env.api.get(CROWD_CLIENT)).body as StoredObject;
  const missing = count - (await env.server.count(CROWD_PATH));
  await writeIssuedTokens(env, client, { count: Math.max(0, missing), expiresIn: EXPIRED_SECONDS });
};

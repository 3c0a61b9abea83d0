import { namespaceOf } from '../../support/api.ts';
import { applyObjects } from '../../support/apply.ts';
import type { StoredObject } from '../limits/api-server.ts';
import { type BenchEnv, CLIENT } from './bench-env.ts';
import { EXPIRED_SECONDS, issuedTokensPath, writeIssuedTokens } from './records.ts';

/**
 * Many IssuedTokens that no call is about, in a separate namespace, for all scenarios of a group: a hundred thousand take minutes
 * to make. They have expired, but not so long ago that an operator with its defaults would collect them.
 */

/** Their namespace, and the owner of their client. */
export const BACKGROUND = 'bench-background';
/** Their collection. */
export const BACKGROUND_PATH = issuedTokensPath(BACKGROUND);

const BACKGROUND_CLIENT = {
  ...CLIENT,
  metadata: { name: 'background', namespace: BACKGROUND },
  spec: { ...CLIENT.spec, owner: 'background' },
};

/** Makes as many as are missing to `count`. */
export const writeBackgroundRecords = async (env: BenchEnv, count: number): Promise<void> => {
  await applyObjects(env.api, [namespaceOf(BACKGROUND), BACKGROUND_CLIENT]);
  const client = (await env.api.get(BACKGROUND_CLIENT)).body as StoredObject;
  const missing = count - (await env.server.count(BACKGROUND_PATH));
  await writeIssuedTokens(env, client, { count: Math.max(0, missing), expiresIn: EXPIRED_SECONDS });
};

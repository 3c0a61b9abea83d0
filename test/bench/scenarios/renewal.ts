import { eventually } from '../../support/eventually.ts';
import { type BenchEnv, emptyTokens, SYSTEM, secretsPath, tokensPath } from '../lib/bench-env.ts';
import { freshFigure, makeFreshTokens } from '../lib/fresh-tokens.ts';
import { DUE, readyTokens } from '../lib/ready-tokens.ts';
import { blockFigure, type Figure, median, reachFigure, spread } from '../lib/report.ts';
import { note, QUICK } from '../lib/scale.ts';
import { type Block, METERED, scrapesOf } from '../lib/scrapes.ts';
import { newSpan } from '../lib/span.ts';
import { type StoredObject, timedLoop } from '../limits/api-server.ts';

/**
 * Many declared Tokens that are due at once, beside a bare loop of the same two writes before and after it. They become due by the
 * annotation `m2moauth.dev/renew` while no operator runs: by a short lifetime they would be due one after the other, as they were made.
 */

const COUNT = QUICK ? 500 : 10_000;
/** Of the limit, in each of its halves. */
const BARE = QUICK ? 50 : 1000;
const TARGET = 0.75;
const FRESH_TOKENS = QUICK ? 20 : 100;
const WRITES_EACH = 2;
const PATIENCE = { timeoutMs: 300_000, intervalMs: 5 };

/** Rates in writes a second, as a watch saw the second of each Token. */
export interface RenewalRounds {
  readonly bare: number[];
  readonly own: number;
  /** Milliseconds to Ready of Tokens that were made meanwhile, and of Tokens that were made when all was done. */
  readonly fresh: readonly number[];
  readonly freshIdle: readonly number[];
  readonly blocked: Block;
}

/** Where the bare loop works. */
const COPIED = 'bench-copied';

interface Pair {
  readonly token: StoredObject;
  readonly secret: StoredObject;
}

const pairsOf = async ({ server }: BenchEnv, namespace: string): Promise<Pair[]> => {
  const secrets = new Map(
    (await server.all(secretsPath(namespace))).map((secret) => [secret.metadata.name, secret]),
  );
  return (await server.all(tokensPath(namespace))).map((token) => {
    const secret = secrets.get(token.metadata.name);
    if (secret === undefined) throw new Error(`${token.metadata.name} has no Secret`);
    return { token, secret };
  });
};

/** Counts the Tokens of a namespace whose second JWT is in their status. */
const watchRenewals = async (env: BenchEnv, namespace: string) => {
  const span = newSpan();
  const seen = new Set<string>();
  const stop = await env.server.watch(tokensPath(namespace), ({ object: { metadata, status } }) => {
    if (!(status?.issuance > 1) || seen.has(metadata.uid)) return;
    seen.add(metadata.uid);
    span.mark();
  });
  return { span, stop };
};

const renewedSecret = ({ metadata, type, data }: StoredObject): object => {
  const { managedFields: _, ...kept } = metadata as StoredObject['metadata'] & { managedFields?: object };
  const token = [...(data.token as string)].reverse().join('').replaceAll('=', '');
  const padding = '='.repeat((4 - (token.length % 4)) % 4);
  return { apiVersion: 'v1', kind: 'Secret', type, metadata: kept, data: { token: token + padding } };
};

const renewedToken = ({ metadata, status }: StoredObject): object => {
  const { name, uid, resourceVersion } = metadata;
  const { namespace } = metadata as { namespace?: string };
  const { id, issuedAt, expiration, keyID } = status;
  return {
    apiVersion: 'm2moauth.dev/v1alpha1',
    kind: 'Token',
    metadata: { name, namespace, uid, resourceVersion },
    status: {
      ...status,
      issuance: status.issuance + 1,
      version: status.version + 1,
      previous: [{ id, issuedAt, expiration, keyID }],
    },
  };
};

/** The limit: PUT of the Secret and of the status, of the operator's own size and shape, where no operator watches. */
const bareRenews = async (env: BenchEnv, namespace: string, pairs: readonly Pair[]): Promise<number> => {
  const { span, stop } = await watchRenewals(env, namespace);
  await timedLoop(pairs.length, async (at) => {
    const pair = pairs[at];
    if (pair === undefined) return;
    const { name } = pair.token.metadata;
    await env.server.write(
      'PUT',
      `${secretsPath(namespace)}/${name}?fieldManager=bare`,
      renewedSecret(pair.secret),
    );
    await env.server.write(
      'PUT',
      `${tokensPath(namespace)}/${name}/status?fieldManager=bare`,
      renewedToken(pair.token),
    );
  });
  await eventually(() => span.count === pairs.length, PATIENCE);
  stop();
  return span.perSecond * WRITES_EACH;
};

/** Of all that are there; how many those are. */
const askForRenewal = async ({ server }: BenchEnv, namespace: string): Promise<number> => {
  const tokens = await server.all(tokensPath(namespace));
  await timedLoop(tokens.length, async (at) => {
    const token = tokens[at];
    if (token === undefined) return;
    const annotations = { 'm2moauth.dev/renew': 'bench' };
    await server.write('PUT', `${tokensPath(namespace)}/${token.metadata.name}?fieldManager=bench`, {
      ...token,
      apiVersion: 'm2moauth.dev/v1alpha1',
      kind: 'Token',
      metadata: { ...token.metadata, annotations },
    });
  });
  return tokens.length;
};

const operatorRenews = async (env: BenchEnv, namespace: string): Promise<Omit<RenewalRounds, 'bare'>> => {
  const count = await askForRenewal(env, namespace);
  const { span, stop } = await watchRenewals(env, namespace);
  // It does not see the namespace in which the bare loop works.
  const operator = await env.operator({
    ...METERED,
    config: { kubernetes: { watchNamespaces: [SYSTEM, namespace] } },
  });
  try {
    const scrapes = scrapesOf(operator);
    await eventually(() => span.count > 0, PATIENCE);
    await scrapes.longestBlock();
    const fresh = await makeFreshTokens(env, {
      namespace,
      count: FRESH_TOKENS,
      goesOn: () => span.count < count,
    });
    await eventually(() => span.count === count, PATIENCE);
    const blocked = await scrapes.longestBlock();
    const freshIdle = await makeFreshTokens(env, { namespace, count: FRESH_TOKENS, goesOn: () => true });
    return { own: span.perSecond * WRITES_EACH, fresh, freshIdle, blocked };
  } finally {
    await operator.stop();
    stop();
  }
};

/** Measures. Those that the operator renewed stay: they are Ready, as other scenarios of their group need them. */
export const measureRenewal = async (env: BenchEnv): Promise<RenewalRounds> => {
  await readyTokens(env, { namespace: DUE, count: COUNT });
  await readyTokens(env, { namespace: COPIED, count: 2 * BARE });
  const pairs = await pairsOf(env, COPIED);
  const before = await bareRenews(env, COPIED, pairs.slice(0, BARE));
  const own = await operatorRenews(env, DUE);
  const bare = [before, await bareRenews(env, COPIED, pairs.slice(BARE))];
  // Their JWTs are no JWTs any more: an operator that found them would issue them anew.
  await emptyTokens(env, COPIED);
  note(`${COUNT} renewals: bare ${spread(bare, 'writes/s')}, operator ${own.own.toFixed(0)}/s`);
  return { bare, ...own };
};

/** What it says in the table. */
export const renewalFigures = ({ bare, own, fresh, freshIdle, blocked }: RenewalRounds): Figure[] => {
  const what = `while ${COUNT} Tokens are renewed`;
  return [
    reachFigure({
      scenario: `${COUNT} Tokens renewed that are due at once`,
      measured: `${own.toFixed(0)} writes/s`,
      limit: `bare undici loop, the same two PUTs: ${spread(bare, 'writes/s')}`,
      ratio: own / median(bare),
      target: TARGET,
    }),
    freshFigure(what, fresh, freshIdle),
    blockFigure(what, { '': blocked }),
  ];
};

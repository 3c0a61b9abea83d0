import { eventually } from '../../support/eventually.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { type BenchEnv, emptyTokens, isReady, secretsPath, tokenOf, tokensPath } from '../lib/bench-env.ts';
import { type StoredObject, timedLoop } from '../limits/api-server.ts';

/** What one round of the operator showed. */
export interface DeclaredRound {
  /** Tokens from the leader's start to Ready, per second. */
  readonly tokensPerSecond: number;
  /** Writes seen by a watch, beyond one Secret and one status for each Token. */
  readonly surplusWrites: number;
}

/** Counts writes by what a watch saw: every event after the first one of a Token, every event of a Secret. */
const countWrites = async (env: BenchEnv, namespace: string) => {
  const seen = { tokenWrites: 0, secretWrites: 0, ready: new Set<string>(), lastReadyAt: 0 };
  const stops = [
    await env.server.watch(tokensPath(namespace), ({ type, object }) => {
      if (type === 'MODIFIED') seen.tokenWrites += 1;
      if (type === 'ADDED' || !isReady(object) || seen.ready.has(object.metadata.uid)) return;
      seen.ready.add(object.metadata.uid);
      seen.lastReadyAt = performance.now();
    }),
    await env.server.watch(secretsPath(namespace), () => {
      seen.secretWrites += 1;
    }),
  ];
  return {
    seen,
    stop: () => {
      for (const stop of stops) stop();
    },
  };
};

/**
 * The limit: for each Token that exists, a bare loop creates a Secret and puts a status, both of the operator's own
 * size and shape (copied from a Token that it has made Ready). The same watches are open as in the operator's rounds.
 */
export const bareTwoWrites = async (
  env: BenchEnv,
  count: number,
  sample: { secret: StoredObject; token: StoredObject },
): Promise<number> => {
  const { namespace, tokens } = await env.createTokens(count);
  const { server } = env;
  const { seen, stop } = await countWrites(env, namespace);
  const { labels, annotations, ownerReferences }: Record<string, unknown> & { ownerReferences?: object[] } =
    sample.secret.metadata;
  const seconds = await timedLoop(count, async (at) => {
    const token = tokens[at];
    if (token === undefined) return;
    const { name, uid, resourceVersion } = token.metadata;
    const owner = { ...ownerReferences?.[0], name, uid };
    await server.write('POST', `${secretsPath(namespace)}?fieldManager=bare&fieldValidation=Strict`, {
      apiVersion: 'v1',
      kind: 'Secret',
      type: sample.secret.type,
      metadata: { name, namespace, labels, annotations, ownerReferences: [owner] },
      data: sample.secret.data,
    });
    await server.write('PUT', `${tokensPath(namespace)}/${name}/status?fieldManager=bare`, {
      apiVersion: token.apiVersion,
      kind: token.kind,
      metadata: { name, namespace, uid, resourceVersion },
      status: sample.token.status,
    });
  });
  await eventually(() => seen.ready.size === count, { timeoutMs: 120_000 });
  stop();
  // Their status is a copy: an operator that found them would reissue them, in the time of its own round.
  await emptyTokens(env, namespace);
  return count / seconds;
};

/** Waits for the last Token to be Ready, stops the operator, and returns the rate since `start`. */
const endRound = async (round: {
  readonly operator: OperatorProcess;
  readonly count: number;
  readonly start: number;
  readonly observed: Awaited<ReturnType<typeof countWrites>>;
}): Promise<DeclaredRound> => {
  const { operator, count, start, observed } = round;
  const { seen, stop } = observed;
  await eventually(() => seen.ready.size === count, { timeoutMs: 300_000, intervalMs: 5 });
  const seconds = (seen.lastReadyAt - start) / 1000;
  await operator.stop();
  stop();
  return {
    tokensPerSecond: count / seconds,
    surplusWrites: seen.tokenWrites + seen.secretWrites - 2 * count,
  };
};

/** Tokens that wait for the operator: from the moment at which it leads until the last one is Ready. They stay only in a namespace that is given. */
export const operatorDrains = async (
  env: BenchEnv,
  count: number,
  given?: string,
): Promise<DeclaredRound> => {
  const { namespace } = await env.createTokens(count, given);
  const { seen, stop } = await countWrites(env, namespace);
  const operator = await env.operator();
  await eventually(() => operator.log.some(({ message }) => message === 'became the leader'), {
    timeoutMs: 60_000,
    intervalMs: 1,
  });
  const start = performance.now();
  const round = await endRound({ operator, count, start, observed: { seen, stop } });
  if (given === undefined) await emptyTokens(env, namespace);
  return round;
};

/** Tokens created as fast as the API server takes them while the operator works: from the first create to the last Ready. */
export const operatorLive = async (env: BenchEnv, count: number): Promise<DeclaredRound> => {
  const operator = await env.operator();
  await operator.ready();
  await eventually(() => operator.log.some(({ message }) => message === 'became the leader'), {
    timeoutMs: 60_000,
  });
  const namespace = await env.api.createNamespace('live');
  const { seen, stop } = await countWrites(env, namespace);
  const start = performance.now();
  await timedLoop(count, async (at) => {
    await env.server.write('POST', tokensPath(namespace), tokenOf(`token-${at}`, namespace));
  });
  const round = await endRound({ operator, count, start, observed: { seen, stop } });
  await emptyTokens(env, namespace);
  return round;
};

/** A Ready Token and its Secret, as the operator made them. */
export const makeSample = async (env: BenchEnv): Promise<{ secret: StoredObject; token: StoredObject }> => {
  const { namespace } = await env.createTokens(1);
  const operator = await env.operator();
  const token = await eventually(
    async () => {
      const found = await env.server.get(`${tokensPath(namespace)}/token-0`);
      return isReady(found) ? found : false;
    },
    { timeoutMs: 60_000 },
  );
  const secret = await env.server.get(`${secretsPath(namespace)}/token-0`);
  await operator.stop();
  return { secret, token: token as StoredObject };
};

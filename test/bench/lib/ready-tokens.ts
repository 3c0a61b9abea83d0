import { eventually } from '../../support/eventually.ts';
import { type BenchEnv, isReady, tokensPath } from './bench-env.ts';

/** Declared Tokens that an operator has made Ready, for all scenarios of a group: ten thousand take a minute. */

/** The namespace of those that several scenarios use: made Ready, started over, renewed. */
export const DUE = 'bench-ready';

/** Sees to it that a namespace has that many, all of them Ready: as they are there, or made where there is none. No operator may run. */
export const readyTokens = async (
  env: BenchEnv,
  { namespace, count }: { readonly namespace: string; readonly count: number },
): Promise<void> => {
  const path = tokensPath(namespace);
  const there = await env.server.all(path);
  if (there.length >= count && there.every(isReady)) return;
  const ready = new Set<string>();
  const stop = await env.server.watch(path, ({ object }) => {
    if (isReady(object)) ready.add(object.metadata.uid);
  });
  await env.createTokens(count, namespace);
  const operator = await env.operator();
  await eventually(() => ready.size >= count, { timeoutMs: 600_000 });
  await operator.stop();
  stop();
};

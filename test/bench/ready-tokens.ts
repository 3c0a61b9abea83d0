import { applyObjects } from '../support/apply.ts';
import { eventually } from '../support/eventually.ts';
import { timedLoop } from './api-server.ts';
import { isReady, namespaceOf, tokenOf, tokensPath, type World } from './world.ts';

/** Declared Tokens that an operator has made Ready, for all scenarios of a world: ten thousand take a minute. */

/** The namespace of those that several scenarios use: made Ready, started over, renewed. */
export const DUE = 'bench-ready';

/** Sees to it that a namespace has that many, all of them Ready; those that are there are used. No operator may run. */
export const readyTokens = async (
  world: World,
  { namespace, count }: { readonly namespace: string; readonly count: number },
): Promise<void> => {
  await applyObjects(world.api, [namespaceOf(namespace)]);
  const path = tokensPath(namespace);
  const there = await world.server.all(path);
  const ready = new Set(there.filter(isReady).map(({ metadata }) => metadata.uid));
  if (ready.size >= count) return;
  const stop = await world.server.watch(path, ({ object }) => {
    if (isReady(object)) ready.add(object.metadata.uid);
  });
  await timedLoop(count - there.length, async (at) => {
    const name = `token-${there.length + at}`;
    await world.server.write('POST', path, tokenOf(name, namespace));
  });
  const operator = await world.operator();
  await eventually(() => ready.size >= count, { timeoutMs: 600_000 });
  await operator.stop();
  stop();
};

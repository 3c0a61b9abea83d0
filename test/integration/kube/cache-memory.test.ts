import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, describe, expect, test } from '@jest/globals';
import { API_VERSION, type KubeObject } from '../../../operator/api/meta.ts';
import { listWatchSecretMeta, listWatchTokens } from '../../../operator/kube/list-watch.ts';
import { systemClock } from '../../../operator/ops/system-clock.ts';
import { ApiError } from '../../../operator/ports/kube.ts';
import type { ListWatch } from '../../../operator/ports/watch.ts';
import { Informer } from '../../../operator/runtime/informer.ts';
import { Rewinds } from '../../../operator/runtime/rewinds.ts';
import { bodyOf, type Ref, testApi } from '../../support/api.ts';
import { openKube } from '../../support/kube.ts';

const api = testApi();
afterAll(api.close);
const kube = openKube();
afterAll(kube.close);

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const heldBytes = (): number => {
  // The second collection frees what finalizers of the first let go.
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
};

const OBJECTS = 80;
/** Under 20 MB for 1,500 objects with 256 KB of annotations each; it is under 1 KB an object, and the rest is margin for the heap's noise. */
const MAX_BYTES = (OBJECTS * 20_000_000) / 1500;

const label = { 'app.kubernetes.io/managed-by': 'm2m-oauth-operator' };
const token = (metadata: object): Ref =>
  ({ apiVersion: API_VERSION, kind: 'Token', metadata, spec: { clientRef: { name: 'app' } } }) as never;
const secret = (metadata: object): Ref =>
  ({ apiVersion: 'v1', kind: 'Secret', metadata: { ...metadata, labels: label } }) as never;

/** A namespace with objects that have so many bytes of annotations. */
const fill = async (objectOf: (metadata: object) => Ref, annotationBytes: number): Promise<string> => {
  const namespace = await api.createNamespace('memory');
  const annotations = { 'example.com/note': 'x'.repeat(annotationBytes) };
  for (let start = 0; start < OBJECTS; start += 8) {
    const names = Array.from({ length: 8 }, (_, at) => `o${start + at}`);
    const answers = names.map((name) => api.create(objectOf({ name, namespace, annotations })));
    for (const answer of await Promise.all(answers)) bodyOf(answer);
  }
  return namespace;
};

/** A source whose server knows no watch-list: the answer that kube-apiserver gives with the feature off. */
const withPagedLists = <T>(source: ListWatch<T>): ListWatch<T> => ({
  ...source,
  watch: (options) =>
    options.initialEvents
      ? Promise.reject(new ApiError('sendInitialEvents is forbidden', { status: 422, reason: 'Invalid' }))
      : source.watch(options),
});

/** How many bytes the heap grows by while a cache holds what a source has. */
const costOf = async <T extends KubeObject>(listWatch: ListWatch<T>): Promise<number> => {
  const before = heldBytes();
  const { log, metrics } = kube;
  const informer = new Informer<T>({
    name: 'test',
    sources: [{ listWatch }],
    clock: systemClock,
    random: Math.random,
    log,
    metrics,
    rewinds: new Rewinds(log),
  });
  const stop = new AbortController();
  informer.start(stop.signal);
  await informer.whenSynced(stop.signal);
  const cost = heldBytes() - before;
  expect(informer.cache.size).toBe(OBJECTS);
  stop.abort();
  await informer.stopped();
  return cost;
};

describe.each<[string, (metadata: object) => Ref, (namespace: string) => ListWatch<KubeObject>]>([
  ['Tokens', token, (namespace) => listWatchTokens(kube.client, { namespace })],
  ['Secrets', secret, (namespace) => listWatchSecretMeta(kube.client, { namespace })],
])('%s with 256 KB of annotations each', (_, objectOf, sourceOf) => {
  test('cost a replica hardly more memory than without, by watch-list and by paged lists', async () => {
    const plain = sourceOf(await fill(objectOf, 10));
    const large = sourceOf(await fill(objectOf, 260_000));
    for (const wrap of [(source: ListWatch<KubeObject>) => source, withPagedLists]) {
      // The first one also pays for what is compiled and connected once.
      await costOf(wrap(plain));
      const cost = (await costOf(wrap(large))) - (await costOf(wrap(plain)));
      expect(cost).toBeLessThan(MAX_BYTES);
    }
  });
});

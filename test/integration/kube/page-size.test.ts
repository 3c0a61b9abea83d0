import { afterAll, expect, test } from '@jest/globals';
import { API_VERSION } from '../../../operator/api/meta.ts';
import type { Token } from '../../../operator/api/token.ts';
import type { KubeClient, KubeRequest } from '../../../operator/kube/client.ts';
import { listWatchTokens } from '../../../operator/kube/list-watch.ts';
import { ApiError } from '../../../operator/ports/kube.ts';
import type { ListWatch } from '../../../operator/ports/watch.ts';
import { bodyOf, testApi } from '../../support/api.ts';
import { eventually } from '../../support/eventually.ts';
import { openKube } from '../../support/kube.ts';
import { watch } from '../../support/watched.ts';

const api = testApi();
afterAll(api.close);
const kube = openKube();
afterAll(kube.close);

const SMALL = 60;
const LARGE = 60;
const MAX_PAGE = 8 * 1024 * 1024;

/** A client that measures the answers that it reads. */
const measuring = (client: KubeClient) => {
  const lengths: number[] = [];
  const request = <T>(sent: KubeRequest): Promise<T> =>
    client.request<T>({
      ...sent,
      onBytes: (length) => {
        lengths.push(length);
        sent.onBytes?.(length);
      },
    });
  return { lengths, client: { ...client, request } };
};

/** 60 Tokens of a kilobyte, and after them in the order of lists 60 of 256 KB. */
const fill = async (): Promise<string> => {
  const namespace = await api.createNamespace('pages');
  const token = (name: string, note: string) => ({
    apiVersion: API_VERSION,
    kind: 'Token',
    metadata: { name, namespace, annotations: { note } },
    spec: { clientRef: { name: 'app' } },
  });
  for (let start = 0; start < SMALL; start += 6) {
    const tokens = Array.from({ length: 6 }, (_, at) => [
      token(`a${start + at}`, 'x'),
      token(`b${start + at}`, 'x'.repeat(260_000)),
    ]).flat();
    for (const answer of await Promise.all(tokens.map((object) => api.create(object)))) bodyOf(answer);
  }
  return namespace;
};

test('lists of large objects come in pages of at most 8 MiB, all of them, and again after a 410', async () => {
  const namespace = await fill();
  const { client, lengths } = measuring(kube.client);
  const source = listWatchTokens(client, { namespace });
  const expired = new ApiError('too old', { status: 410, reason: 'Expired' });
  const refused = new ApiError('sendInitialEvents is forbidden', { status: 422, reason: 'Invalid' });
  let lists = 0;
  const events = { follow: 0 };
  const paged: ListWatch<Token> = {
    ...source,
    list: (options) => {
      if (options.continueToken === undefined) lists += 1;
      // The first list expires between two pages, as one does that takes longer than five minutes.
      if (lists === 1 && options.continueToken !== undefined) return Promise.reject(expired);
      return source.list(options);
    },
    watch: (options) => {
      if (options.initialEvents) return Promise.reject(refused);
      events.follow += 1;
      return events.follow === 1 ? Promise.reject(expired) : source.watch(options);
    },
  };
  await using watched = await watch(kube, paged, { namespace });
  await eventually(() => expect(events.follow).toBe(2));
  expect(lists).toBe(3);
  expect(watched.informer.cache.size).toBe(SMALL + LARGE);
  expect(Math.max(...lengths)).toBeLessThanOrEqual(MAX_PAGE);
  expect(lengths.reduce((sum, length) => sum + length, 0)).toBeGreaterThan(2 * LARGE * 260_000);
});

import { expect, test } from '@jest/globals';
import { planSecretWrite, secretContentOf } from '../../../../operator/domain/token/secret-content.ts';
import { ApiError } from '../../../../operator/ports/kube.ts';
import { type TokenSinks, writeSecret } from '../../../../operator/reconcilers/token/token-writes.ts';
import { makeToken } from '../../domain/token/fake-token.ts';

const metadata = {
  name: 'reports',
  namespace: 'team',
  uid: 's',
  resourceVersion: '7',
  creationTimestamp: '2026-01-01T00:00:00Z',
};
const fields = { ownData: ['token'], dataOfOtherManagers: ['theirs'], ownLabels: [], ownAnnotations: [] };

/** Sinks whose Secret answers a GET with that error. */
const sinksOf = (error: ApiError) => {
  const forgotten: [string, string][] = [];
  const sinks = {
    keyring: { active: () => undefined },
    secrets: { forget: (key: string, uid: string) => forgotten.push([key, uid]) },
    secretClient: {
      get: async () => {
        throw error;
      },
    },
  } as unknown as TokenSinks;
  return { sinks, forgotten };
};

const write = async (sinks: TokenSinks) => {
  const meta = { apiVersion: 'v1', kind: 'Secret', metadata, fields } as const;
  const wanted = secretContentOf(makeToken(), { id: 'id', clientUID: 'c' });
  const planned = {
    ...planSecretWrite(wanted, undefined, true),
    precondition: { uid: 's', resourceVersion: '7' },
    keepsData: true,
  };
  const secrets = new Map([['reports', { meta, live: undefined }]]);
  return writeSecret(sinks, { observation: { token: makeToken() }, secrets } as never, {
    write: planned,
    jwt: undefined,
    signal: new AbortController().signal,
  });
};

test('a Secret that is gone when its content is to be kept makes the plan stale, and is forgotten', async () => {
  const { sinks, forgotten } = sinksOf(new ApiError('gone', { status: 404, reason: 'NotFound' }));
  expect(await write(sinks)).toEqual({ kind: 'stale' });
  expect(forgotten).toEqual([['team/reports', 's']]);
});

test('a Secret that may not be read is no rejected write', async () => {
  const denied = new ApiError('denied', { status: 403, reason: 'Forbidden' });
  await expect(write(sinksOf(denied).sinks)).rejects.toBe(denied);
});

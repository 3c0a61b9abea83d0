import { describe, expect, test } from '@jest/globals';
import { SECRET_ANNOTATIONS } from '../../../../operator/domain/token/declared-token.ts';
import {
  planSecretWrite,
  type SecretContent,
  secretContentOf,
} from '../../../../operator/domain/token/secret-content.ts';
import type { ObservedSecret } from '../../../../operator/domain/token/token-observation.ts';
import { ApiError, type NewObject } from '../../../../operator/ports/kube.ts';
import type { Secret, SecretMeta } from '../../../../operator/ports/secrets.ts';
import { type SecretSinks, writeSecret } from '../../../../operator/reconcilers/token/secret-writes.ts';
import { makeToken } from '../../domain/token/fake-token.ts';

const metadata = {
  name: 'reports',
  namespace: 'team',
  uid: 's',
  resourceVersion: '7',
  creationTimestamp: '2026-01-01T00:00:00Z',
};
const fields = {
  managedDataKeys: ['token'],
  dataOfOtherManagers: ['theirs'],
  ownLabels: [],
  ownAnnotations: [],
};

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
  } as unknown as SecretSinks;
  return { sinks, forgotten };
};

const write = async (sinks: SecretSinks) => {
  const meta = { apiVersion: 'v1', kind: 'Secret', isReduced: false, metadata, fields } as const;
  const wanted = secretContentOf(makeToken(), { id: 'id', clientUID: 'c' });
  const planned = {
    ...planSecretWrite(wanted, undefined, true),
    precondition: { uid: 's', resourceVersion: '7' },
    readsFirst: true,
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

/** Metadata of a Secret that the operator wrote in whole. */
const metaOf = (secret: NewObject<Secret>): SecretMeta => ({
  apiVersion: 'v1',
  kind: 'Secret',
  isReduced: false,
  metadata: { ...metadata, ...secret.metadata },
  fields: {
    managedDataKeys: Object.keys(secret.data ?? {}),
    dataOfOtherManagers: [],
    ownLabels: Object.keys(secret.metadata.labels ?? {}),
    ownAnnotations: Object.keys(secret.metadata.annotations ?? {}),
  },
});

const observedOf = (meta: SecretMeta): ObservedSecret => ({
  name: meta.metadata.name,
  uid: meta.metadata.uid,
  resourceVersion: meta.metadata.resourceVersion,
  owned: true,
  controller: 'Token',
  marking: 'Own',
  terminating: false,
  isReduced: meta.isReduced,
  labels: meta.metadata.labels ?? {},
  annotations: meta.metadata.annotations ?? {},
  fields: meta.fields,
});

/** What the API server receives when a Secret with a JWT is created, or written over `inPlace`. */
const sentSecret = async (content: SecretContent, inPlace?: SecretMeta): Promise<NewObject<Secret>> => {
  const sent: NewObject<Secret>[] = [];
  const accept = async (secret: NewObject<Secret>) => {
    sent.push(secret);
    return secret;
  };
  const sinks = {
    keyring: { active: () => ({ kid: 'k', sign: async () => 'jwt' }) },
    secrets: { putIfNewer: () => undefined },
    cachedSecretOf: (secret: Secret) => secret,
    secretMetaOf: metaOf,
    secretClient: { create: accept, update: accept },
  } as unknown as SecretSinks;
  const secrets = new Map(inPlace ? [[content.name, { meta: inPlace, live: undefined }]] : []);
  await writeSecret(sinks, { observation: { token: makeToken() }, secrets } as never, {
    write: planSecretWrite(content, inPlace && observedOf(inPlace), true),
    jwt: { typ: 'JWT', claims: {}, kid: 'k' },
    signal: new AbortController().signal,
  });
  const [secret] = sent;
  if (secret === undefined) throw new Error('no Secret was written');
  return secret;
};

describe('the names in a written Secret are those of its SecretContent', () => {
  const secretSpec = { key: 'access', labels: { a: 'b' }, annotations: { c: 'd' } };
  const content = secretContentOf(makeToken({ secret: secretSpec }), {
    id: 'id',
    clientUID: 'c',
    lastHandledRenew: 'r',
  });
  const names = (members: object | undefined): string[] => Object.keys(members ?? {}).sort();

  test.each<[string, SecretMeta | undefined]>([
    ['created', undefined],
    [
      'written over another',
      {
        apiVersion: 'v1',
        kind: 'Secret',
        isReduced: false,
        metadata,
        fields: { managedDataKeys: ['token'], dataOfOtherManagers: [], ownLabels: [], ownAnnotations: [] },
      },
    ],
  ])('if it is %s', async (_, inPlace) => {
    const secret = await sentSecret(content, inPlace);
    const next = planSecretWrite(content, observedOf(metaOf(secret)), true);
    expect({
      removedByTheNextReconcileUntilSecretContentHasThem: next.drop,
      data: names(secret.data),
      labels: names(secret.metadata.labels),
      annotations: names(secret.metadata.annotations),
    }).toEqual({
      removedByTheNextReconcileUntilSecretContentHasThem: { data: [], labels: [], annotations: [] },
      data: Object.values(content.dataKeys).sort(),
      labels: names(content.labels),
      annotations: names(content.annotations),
    });
  });

  test('and the annotations of the operator are SECRET_ANNOTATIONS', () => {
    const own = names(content.annotations).filter((name) => name.startsWith('m2moauth.dev/'));
    expect(own).toEqual(Object.values(SECRET_ANNOTATIONS).sort());
  });
});

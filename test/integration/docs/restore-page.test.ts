import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { type Shell, shellBlocks, startShell } from '../../clients/page.ts';
import { type PageEnv, preparePageEnv } from '../../clients/page-suite.ts';
import { ROOT } from '../../clients/programs.ts';
import { bodyOf, type KubeObject, namespaceOf, type Ref, type TestApi } from '../../support/api.ts';
import { applyObjects } from '../../support/apply.ts';
import { eventually } from '../../support/eventually.ts';
import {
  conditionOf,
  type Installation,
  install,
  oauthClient,
  signingKey,
  token,
  waitForReason,
} from '../../support/installation.ts';
import type { OperatorProcess } from '../../support/operator-process.ts';
import { suiteUnless, whyMissing } from '../../support/suite-unless.ts';

/** docs/operations.md, Back up and restore: its blocks as they stand, between two clusters without an object in common. */

const hasJq = spawnSync('jq', ['--version']).status === 0;
const missing = (await whyMissing('kubectl')) ?? (hasJq ? undefined : 'jq not found');
const suite = suiteUnless(missing);
const markdown = readFileSync(join(ROOT, 'docs/operations.md'), 'utf8');
const blockOf = (mark: 'backup' | 'restore' | 'status'): string => {
  const [block, ...others] = shellBlocks(markdown, mark);
  if (block === undefined || others.length > 0)
    throw new Error(`docs/operations.md has no one block ${mark}`);
  return block;
};
const BACKUP = shellBlocks(markdown, 'backup');
const RESTORE = shellBlocks(markdown, 'restore');
const STATUS = shellBlocks(markdown, 'status');

const APPS = 'apps';
const PATH = '/m2m-oauth-server';
const CONFIG = { issuer: { url: `https://issuer.example.com${PATH}` } };

const client = oauthClient('app', APPS, {
  authentication: { clientSecret: { secretRef: { name: 'creds' }, generate: true } },
});
const declared = (name: string, spec: object = {}): Ref =>
  token(name, APPS, { clientRef: { name: 'app' }, ...spec });
const reports = declared('reports', { secret: { name: 'reports-jwt', labels: { app: 'reports' } } });
const revokedBySpec = declared('revoked-by-spec');
const revokedByStatus = declared('revoked-by-status');
const secret = (name: string): Ref => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace: APPS },
});

let env: PageEnv;
let installation: Installation | undefined;
let operator: OperatorProcess;

const opened = (): Installation => {
  if (!installation) throw new Error('no cluster is open');
  return installation;
};
/** Leaves the cluster to the next one. */
const close = async (): Promise<void> => {
  const open = installation;
  installation = undefined;
  await open?.close();
};
const api = (): TestApi => opened().api;
const read = async (ref: Ref): Promise<KubeObject> => bodyOf(await api().get(ref));

const inShell = async (...blocks: readonly string[]): Promise<void> => {
  const shell: Shell = startShell(env.dir, env.env());
  try {
    for (const block of blocks) await shell.run(block);
  } finally {
    await shell.end();
  }
};

const start = async (): Promise<void> => {
  operator = await opened().operator({ config: CONFIG });
  await operator.ready();
};

const post = async (
  path: string,
  form: Readonly<Record<string, string>>,
): Promise<Record<string, unknown>> => {
  const port = await eventually(
    () =>
      (operator.log.find(({ message }) => message === 'HTTP listener started')?.port as number | undefined) ??
      false,
  );
  const { data } = await read(secret('creds'));
  const client_secret = Buffer.from(data.client_secret, 'base64').toString();
  const body = new URLSearchParams({ client_id: 'app', client_secret, ...form });
  const answer = await fetch(`http://127.0.0.1:${port}${PATH}${path}`, { method: 'POST', body });
  return (await answer.json()) as Record<string, unknown>;
};

const isActive = async (jwt: string): Promise<unknown> =>
  (await post('/oauth/introspect', { token: jwt })).active;

const jwtIn = async (name: string): Promise<string> => {
  const { data } = await read(secret(name));
  return Buffer.from(data.token, 'base64').toString();
};

/** A cluster with CRDs, roles and the namespace, and without anything that the operator would find. */
const openEmpty = async (): Promise<void> => {
  await close();
  installation = await install();
  await api().delete(signingKey());
  await api().delete(oauthClient('shared', 'm2m-oauth-system'));
  await eventually(async () => expect((await api().get(signingKey())).status).toBe(404));
  await api().create(namespaceOf(APPS));
};

interface Backup {
  readonly kids: readonly string[];
  readonly clientSecret: string;
  readonly uids: readonly string[];
  readonly issued: string;
}
let before: Backup;

const kidsOf = async (): Promise<string[]> =>
  (await read(signingKey())).status.keys.map(({ kid }: { kid: string }) => kid).sort();

suite('docs/operations.md, a restore of a backup of objects', () => {
  beforeAll(async () => {
    env = await preparePageEnv(['kubectl'], () => opened().cluster.kubeconfigPath);
    installation = await install();
    await api().create(namespaceOf(APPS));
    await applyObjects(api(), [client, reports, revokedBySpec, revokedByStatus], { namespace: APPS });
    await start();
    for (const each of [reports, revokedBySpec, revokedByStatus]) await waitForReason(api(), each, 'Issued');
    bodyOf(await api().patch(revokedBySpec, 'merge', { spec: { revoked: true } }));
    const blacklisted = { flag: true, timestamp: '2026-01-01T00:00:00Z' };
    bodyOf(
      await api().patch(revokedByStatus, 'merge', { status: { blacklisted } }, { subresource: 'status' }),
    );
    for (const each of [revokedBySpec, revokedByStatus]) await waitForReason(api(), each, 'Blacklisted');
    await eventually(async () => {
      expect(conditionOf(await read(client), 'CredentialsReady')?.reason).toBe('Verified');
      // One signs, the next one is published.
      expect(await kidsOf()).toHaveLength(2);
    });
    const issued = String(
      (await post('/oauth/token', { grant_type: 'client_credentials', audience: 'https://api.example.com' }))
        .access_token,
    );
    expect(await isActive(issued)).toBe(true);
    const objects = await Promise.all([reports, client, signingKey(), secret('reports-jwt')].map(read));
    before = {
      issued,
      kids: await kidsOf(),
      clientSecret: (await read(secret('creds'))).data.client_secret,
      uids: objects.map(({ metadata }) => metadata.uid),
    };
    await inShell(...BACKUP);
    await close();
  });
  afterAll(async () => {
    await close();
    env?.remove();
  });

  test('the page has one block for each step', () => {
    for (const mark of ['backup', 'restore', 'status'] as const) expect(blockOf(mark)).not.toBe('');
  });

  test.each([
    ['with status', [...RESTORE, ...STATUS], 'Blacklisted'],
    ['without status', RESTORE, 'Issued'],
  ])('%s: keys, client secrets and Tokens are as before, under new UIDs', async (_, blocks, byStatus) => {
    await openEmpty();
    await inShell(...blocks);
    await start();
    const { status, metadata } = await waitForReason(api(), reports, 'Issued');
    await waitForReason(api(), revokedBySpec, 'Blacklisted');
    await waitForReason(api(), revokedByStatus, byStatus);

    expect((await read(secret('creds'))).data.client_secret).toBe(before.clientSecret);
    await eventually(async () => expect(await kidsOf()).toEqual(before.kids));
    const objects = await Promise.all([reports, client, signingKey(), secret('reports-jwt')].map(read));
    const uids = objects.map((object) => object.metadata.uid);
    expect(uids.filter((uid) => before.uids.includes(uid))).toEqual([]);
    await eventually(async () => {
      for (const [name, owner] of [
        ['reports-jwt', metadata.uid],
        ['creds', (await read(client)).metadata.uid],
      ] as const) {
        expect((await read(secret(name))).metadata.ownerReferences).toMatchObject([{ uid: owner }]);
      }
    });
    expect(status.id).toBeDefined();
    // A restored status says Issued before its JWT is reissued for the client with its new UID.
    await eventually(async () => expect(await isActive(await jwtIn('reports-jwt'))).toBe(true));
    expect(await isActive(before.issued)).toBe(false);
    expect(conditionOf(await read(client))?.reason).toBe('Registered');
  });
});

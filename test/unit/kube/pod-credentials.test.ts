import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { podCredentialSource } from '../../../operator/kube/pod-credentials.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'm2m-pod-'));
  writeFileSync(join(folder, 'token'), 'first\n');
  writeFileSync(join(folder, 'ca.crt'), 'a certificate');
});
afterEach(() => rmSync(folder, { recursive: true }));

const env = (host: string | undefined, port: string | undefined = '443') => ({
  ...(host !== undefined && { KUBERNETES_SERVICE_HOST: host }),
  KUBERNETES_SERVICE_PORT: port,
});

describe('the credentials of a pod', () => {
  test.each([
    ['10.0.0.1', 'https://10.0.0.1:443'],
    ['fd00::1', 'https://[fd00::1]:443'],
    ['kubernetes.default', 'https://kubernetes.default:443'],
  ])('lead to the API server at %s', async (host, server) => {
    expect(await podCredentialSource(env(host), folder)()).toEqual({
      server,
      tls: { ca: Buffer.from('a certificate') },
      headers: { authorization: 'Bearer first' },
    });
  });

  test('are read again each time', async () => {
    const source = podCredentialSource(env('10.0.0.1'), folder);
    await source();
    writeFileSync(join(folder, 'token'), 'second');
    writeFileSync(join(folder, 'ca.crt'), 'another');
    expect(await source()).toMatchObject({
      tls: { ca: Buffer.from('another') },
      headers: { authorization: 'Bearer second' },
    });
  });

  test.each([
    ['no host', env(undefined)],
    ['no port', env('10.0.0.1', '')],
  ])('are none where the kubelet says %s', (_, environment) => {
    expect(() => podCredentialSource(environment, folder)).toThrow('have to name the API server');
  });

  test('fail by name of the file that is not there', async () => {
    rmSync(join(folder, 'ca.crt'));
    await expect(podCredentialSource(env('10.0.0.1'), folder)()).rejects.toThrow('ca.crt');
  });
});

test('client-node is loaded for a kubeconfig alone', () => {
  const root = join(import.meta.dirname, '../../../operator');
  const files = readdirSync(root, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  );
  const loading = (module: RegExp): string[] =>
    files.filter((file) =>
      [...readFileSync(join(root, file), 'utf8').matchAll(/^import (?!type )[^;]*?from '([^']+)'/gmu)].some(
        (match) => module.test(match[1] ?? ''),
      ),
    );
  expect(loading(/^@kubernetes\/client-node$/u)).toEqual(['kube/credentials.ts']);
  expect(loading(/\/credentials\.ts$/u)).toEqual([]);
});

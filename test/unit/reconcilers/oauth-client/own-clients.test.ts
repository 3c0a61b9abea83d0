import { expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import type { Installation } from '../../../../operator/domain/client/installation.ts';
import { createOwnClients } from '../../../../operator/reconcilers/oauth-client/own-clients.ts';

const OWN = 'https://own.example';
const OTHER = 'https://other.example';

const clientOf = (issuer?: string): OAuthClient =>
  ({ metadata: { namespace: 'team', name: 'app' }, spec: {}, status: { issuer } }) as unknown as OAuthClient;

const other = (watchNamespaces: readonly string[] = []): Installation => ({
  namespace: 'second',
  url: OTHER,
  watchNamespaces,
  isRunning: true,
  since: '',
});

const ownClients = (others: readonly Installation[] | undefined, watchNamespaces: readonly string[] = []) =>
  createOwnClients({ urls: { url: OWN }, watchNamespaces, others: () => others });

test.each([
  ['that is registered here is worked on', OWN, [other()], true],
  ['that is registered elsewhere is left alone', OTHER, [], false],
  ['of an earlier release is worked on where nobody else is', undefined, [], true],
  ['of an earlier release waits where others are', undefined, [other()], false],
  ['of an earlier release waits until the others are known', undefined, undefined, false],
  ['of an earlier release is worked on where others watch elsewhere', undefined, [other(['b'])], true],
])('a client %s', (_, issuer, others, expected) => {
  expect(ownClients(others).has(clientOf(issuer))).toBe(expected);
});

test.each([
  ['in a watched namespace', [other()], ['team', 'shared'], true],
  ['in a namespace that is not watched here, where nobody else is', [], ['team'], true],
  ['in a namespace that is not watched here, where another may know it', [other()], ['team'], false],
  ['anywhere, where all namespaces are watched', [other()], [], true],
])('a Token says that its client does not exist if that is %s', (_, others, watched, expected) => {
  const missing = ownClients(others, watched).mayMiss('shared/app', { namespace: 'team', name: 'reports' });
  expect(missing).toBe(expected);
});

import { describe, expect, test } from '@jest/globals';
import type { ObjectMeta } from '../../../../operator/api/meta.ts';
import {
  announcementOf,
  findInstallationConflict,
  type Installation,
  type InstallationLease,
  installationOf,
} from '../../../../operator/domain/client/installation.ts';

const NOW = Date.UTC(2026, 0, 1, 12);
const ago = (seconds: number): string => new Date(NOW - seconds * 1000).toISOString().replace('Z', '000Z');

const lease = (
  spec: NonNullable<InstallationLease['spec']>,
  annotations?: Readonly<Record<string, string>>,
): InstallationLease => ({
  apiVersion: 'coordination.k8s.io/v1',
  kind: 'Lease',
  metadata: {
    name: 'm2m-oauth-operator',
    namespace: 'second',
    uid: 'u',
    resourceVersion: '1',
    creationTimestamp: '2026-01-01T00:00:00Z',
    ...(annotations && { annotations }),
  } satisfies ObjectMeta,
  spec,
});

describe('the Lease of an installation', () => {
  test('says its URL and namespaces', () => {
    const annotations = announcementOf({ url: 'https://a.example', watchNamespaces: ['a', 'b'] });
    expect(installationOf(lease({ holderIdentity: 'x', renewTime: ago(1) }, annotations), NOW)).toEqual({
      namespace: 'second',
      url: 'https://a.example',
      watchNamespaces: ['a', 'b'],
      isRunning: true,
      since: '2026-01-01T00:00:00Z',
    });
  });

  test('says nothing where it is of an earlier release, which may watch all', () => {
    expect(installationOf(lease({ holderIdentity: 'x', renewTime: ago(1) }), NOW)).toMatchObject({
      url: undefined,
      watchNamespaces: [],
    });
  });

  test.each([
    ['renewed a minute ago', { holderIdentity: 'x', renewTime: ago(60) }, true],
    ['held, and was renewed lately by another clock', { holderIdentity: 'x', renewTime: ago(290) }, true],
    ['released during an upgrade', { holderIdentity: '', renewTime: ago(10) }, false],
  ])('counts while it is %s', (_, spec, isRunning) => {
    expect(installationOf(lease(spec), NOW)).toMatchObject({ isRunning });
  });

  test.each([
    ['of an installation that has ended', { holderIdentity: '', renewTime: ago(301) }],
    ['that was never held', {}],
    ['whose time is none', { holderIdentity: 'x', renewTime: 'today' }],
  ])('does not count where it is one %s', (_, spec) => {
    expect(installationOf(lease(spec), NOW)).toBeUndefined();
  });

  test('with an URL that no configuration can have does not name one', () => {
    const annotations = announcementOf({ url: `https://${'a'.repeat(1024)}`, watchNamespaces: [] });
    expect(installationOf(lease({ renewTime: ago(1) }, annotations), NOW)).toMatchObject({ url: undefined });
  });
});

const installation = (url: string | undefined, changes: Partial<Installation> = {}): Installation => ({
  namespace: 'second',
  url,
  watchNamespaces: [],
  isRunning: true,
  since: '2026-01-01T00:00:00Z',
  ...changes,
});

describe('an installation beside another one', () => {
  const urls = { url: 'https://a.example/m2m', previousURLs: ['https://old.example'] };
  const younger = installation(urls.url, { namespace: 'first', since: '2026-01-02T00:00:00Z' });
  const older = installation(urls.url, { namespace: 'first', since: '2025-12-31T00:00:00Z' });
  const sameAge = installation(urls.url, { namespace: 'third' });

  test.each([
    ['ends where it has the same URL and is younger', younger, installation(urls.url), true],
    ['ends where it has no Lease yet', undefined, installation(urls.url), true],
    ['ends where the URL is written in another way', younger, installation('https://A.example/m2m/'), true],
    ['goes on where it is older', older, installation(urls.url), false],
    ['of the same age ends by the name of its namespace', sameAge, installation(urls.url), true],
    ['goes on where the other has ended', younger, installation(urls.url, { isRunning: false }), false],
    ['goes on where the other has another URL', younger, installation('https://b.example'), false],
    ['goes on where the other does not say which', younger, installation(undefined), false],
    [
      'ends where it would take the clients of an older one that runs',
      younger,
      installation('https://old.example'),
      true,
    ],
    ['goes on where a younger one has a URL of before', older, installation('https://old.example'), false],
    [
      'ends where it has no Lease and another a URL of before',
      undefined,
      installation('https://old.example'),
      true,
    ],
  ])('%s', (_, own, other, ends) => {
    const conflict = findInstallationConflict(urls, own, [other]);
    expect(conflict?.mustEnd ?? false).toBe(ends);
    if (ends) expect(conflict?.why).toContain('namespace second');
  });

  test('says why one that is younger must not run, after those for which it has to end', () => {
    const before = installation('https://old.example');
    expect(findInstallationConflict(urls, older, [before])).toEqual({
      why: expect.stringContaining('issuer.previousURLs has https://old.example'),
      mustEnd: false,
    });
    const first = installation(urls.url, { namespace: 'oldest', since: '2025-01-01T00:00:00Z' });
    expect(findInstallationConflict(urls, older, [before, first])).toEqual({
      why: expect.stringContaining('namespace oldest'),
      mustEnd: true,
    });
  });
});

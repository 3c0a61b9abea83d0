import { afterEach, describe, expect, test } from '@jest/globals';
import type { SecretMeta } from '../../../operator/ports/secrets.ts';
import type { ListPage, ListWatch } from '../../../operator/ports/watch.ts';
import { NamedSecretWatches } from '../../../operator/runtime/named-secrets.ts';
import { Rewinds } from '../../../operator/runtime/rewinds.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../support/quiet.ts';

const silent: ListWatch<SecretMeta> = {
  resource: 'secrets',
  contact: { lastAnswerAt: 0, arePinged: false },
  currentVersion: async () => '1',
  list: (): Promise<ListPage<SecretMeta>> => new Promise(() => undefined),
  watch: ({ signal }) =>
    new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
};

const fake: { named: NamedSecretWatches | undefined } = { named: undefined };
afterEach(() => fake.named?.stop());

const setUp = (limitOfKind: number, limitOfNamespace = limitOfKind) => {
  const named = new NamedSecretWatches({
    sourceOf: () => silent,
    clock: new FakeClock(),
    random: () => 0.5,
    log: recordedLog(),
    metrics: recordedMetrics(),
    rewinds: new Rewinds(recordedLog()),
    limitOfKind,
    limitOfNamespace,
  });
  fake.named = named;
  return named;
};

describe('the budget of Secrets that are followed by name', () => {
  test('is each kind of follower’s own: Tokens leave that of clients and signing keys alone', () => {
    const named = setUp(2);
    expect(named.follow('token:n/a', ['n/a', 'n/b'])).toBe(true);
    expect(named.follow('token:n/c', ['n/c'])).toBe(false);
    expect(named.follow('OAuthClient/n/c', ['n/c', 'n/d'])).toBe(true);
    expect(named.follow('SigningKey/n/k', ['n/e'])).toBe(true);
    expect(named.size).toBe(5);
  });

  test('is charged once for a Secret that many of a kind follow, until the last of them goes', () => {
    const named = setUp(1);
    expect(named.follow('token:n/a', ['n/s'])).toBe(true);
    expect(named.follow('token:n/b', ['n/s'])).toBe(true);
    named.follow('token:n/a', []);
    expect(named.follow('token:n/a', ['n/t'])).toBe(false);
    named.follow('token:n/b', []);
    expect(named.follow('token:n/a', ['n/t'])).toBe(true);
  });

  test('counts for each kind that follows a Secret, whichever came first', () => {
    const named = setUp(1);
    named.follow('OAuthClient/n/a', ['n/s']);
    expect(named.follow('token:n/a', ['n/s'])).toBe(true);
    expect(named.follow('token:n/b', ['n/t'])).toBe(false);
    named.follow('OAuthClient/n/a', []);
    expect(named.size).toBe(1);
    expect(named.follow('OAuthClient/n/a', ['n/u'])).toBe(true);
  });

  test('leaves something for other namespaces, whatever one follows', () => {
    const named = setUp(3, 2);
    expect(named.follow('token:n/a', ['n/a', 'n/b', 'n/c'])).toBe(false);
    expect(named.size).toBe(2);
    expect(named.follow('token:m/a', ['m/a'])).toBe(true);
    named.follow('token:n/a', ['n/c']);
    expect(named.follow('token:n/b', ['n/b'])).toBe(true);
    expect(named.size).toBe(3);
  });

  test('is free again for what a follower let go in the same call', () => {
    const named = setUp(1);
    named.follow('token:n/a', ['n/s']);
    expect(named.follow('token:n/a', ['n/t'])).toBe(true);
    expect(named.size).toBe(1);
  });
});

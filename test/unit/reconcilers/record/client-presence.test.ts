import { expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import { ApiError } from '../../../../operator/ports/kube.ts';
import { ClientPresenceReader } from '../../../../operator/reconcilers/record/client-presence.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordClient } from '../../domain/record/issued-token-fixtures.ts';

const { signal } = new AbortController();
const naming = (clientUID: string, client = 'n/app') => ({ client, clientUID });

/** A cache and an API server, each with the client that a test gives it; a response comes when the test releases it. */
const setUp = (known?: string) => {
  const reads: string[] = [];
  const waiting: ((live: OAuthClient | Error) => void)[] = [];
  const clock = new FakeClock();
  const recordClients = new ClientPresenceReader({
    clock,
    clients: { get: () => (known === undefined ? undefined : recordClient(known)) },
    oauthClients: {
      get: ({ namespace, name }) => {
        reads.push(`${namespace}/${name}`);
        return new Promise((resolve, reject) => {
          waiting.push((live) => (live instanceof Error ? reject(live) : resolve(live)));
        });
      },
    },
  });
  const answer = (uid: string | undefined): void => {
    const missing = new ApiError('none', { status: 404, reason: 'NotFound' });
    for (const settle of waiting.splice(0)) settle(uid === undefined ? missing : recordClient(uid));
  };
  const fail = (): void => {
    for (const settle of waiting.splice(0)) settle(new ApiError('no answer', { status: 0 }));
  };
  return { recordClients, clock, reads, answer, fail };
};

test('a client that the cache has is known; none, or another of its name, is missing', () => {
  expect(setUp('one').recordClients.of(naming('one'))).toBe('Known');
  expect(setUp('two').recordClients.of(naming('one'))).toBe('Missing');
  expect(setUp().recordClients.of(naming('one'))).toBe('Missing');
});

test.each([
  ['there is none of its name', undefined, 'Gone'],
  ['another has its name', 'two', 'Gone'],
  ['it is there', 'one', 'Ahead'],
])('the API server answers: %s', async (_, live, expected) => {
  const { recordClients, answer } = setUp();
  const asked = recordClients.ask(naming('one'), signal);
  answer(live);
  expect(await asked).toBe(expected);
});

test('all records of a client wait for one answer', async () => {
  const { recordClients, reads, answer } = setUp();
  const asked = Array.from({ length: 50 }, () => recordClients.ask(naming('one'), signal));
  answer(undefined);
  expect(new Set(await Promise.all(asked))).toEqual(new Set(['Gone']));
  expect(reads).toEqual(['n/app']);
});

test('clients of one name that follow each other are asked for one by one', async () => {
  const { recordClients, reads, answer } = setUp();
  const asked = [recordClients.ask(naming('one'), signal), recordClients.ask(naming('two'), signal)];
  answer('two');
  expect(await Promise.all(asked)).toEqual(['Gone', 'Ahead']);
  expect(reads.length).toBe(2);
});

test('that it is gone is remembered, that it is there is not', async () => {
  const { recordClients, reads, answer } = setUp();
  const gone = recordClients.ask(naming('one'), signal);
  answer(undefined);
  await gone;
  expect(recordClients.of(naming('one'))).toBe('Gone');
  for (let times = 0; times < 2; times++) {
    const there = recordClients.ask(naming('two'), signal);
    answer('two');
    expect(await there).toBe('Ahead');
    expect(recordClients.of(naming('two'))).toBe('Missing');
  }
  expect(reads.length).toBe(3);
});

test('that it is gone is forgotten after 10 s: a restore of etcd brings a UID back', async () => {
  const { recordClients, clock, answer } = setUp();
  const gone = recordClients.ask(naming('one'), signal);
  answer(undefined);
  await gone;
  await clock.advance(9_999);
  expect(recordClients.of(naming('one'))).toBe('Gone');
  await clock.advance(1);
  expect(recordClients.of(naming('one'))).toBe('Missing');
  const back = recordClients.ask(naming('one'), signal);
  answer('one');
  expect(await back).toBe('Ahead');
});

test('the 10 s count from when the API server was asked', async () => {
  const { recordClients, clock, answer } = setUp();
  const gone = recordClients.ask(naming('one'), signal);
  await clock.advance(10_000);
  answer(undefined);
  expect(await gone).toBe('Gone');
  expect(recordClients.of(naming('one'))).toBe('Missing');
});

test('that it is gone is forgotten where the clock is set back', async () => {
  const { recordClients, clock, answer } = setUp();
  const gone = recordClients.ask(naming('one'), signal);
  answer(undefined);
  await gone;
  clock.step(-60_000);
  expect(recordClients.of(naming('one'))).toBe('Missing');
});

test('no more than a thousand are remembered', async () => {
  const { recordClients, answer } = setUp();
  for (let n = 0; n < 1001; n++) {
    const asked = recordClients.ask(naming(`uid-${n}`), signal);
    answer(undefined);
    await asked;
  }
  expect(recordClients.of(naming('uid-0'))).toBe('Missing');
  expect(recordClients.of(naming('uid-1'))).toBe('Gone');
});

test('an API server that does not answer has said nothing, and is asked again', async () => {
  const { recordClients, reads, fail, answer } = setUp();
  const asked = recordClients.ask(naming('one'), signal);
  fail();
  await expect(asked).rejects.toBeInstanceOf(ApiError);
  expect(recordClients.of(naming('one'))).toBe('Missing');
  const again = recordClients.ask(naming('one'), signal);
  answer('one');
  expect(await again).toBe('Ahead');
  expect(reads.length).toBe(2);
});

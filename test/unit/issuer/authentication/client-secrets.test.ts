import { beforeEach, describe, expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import type { Awaitable } from '../../../../operator/async/map-awaitable.ts';
import { sleep } from '../../../../operator/async/sleep.ts';
import {
  type ClientSecrets,
  createClientSecrets,
} from '../../../../operator/issuer/authentication/client-secrets.ts';
import type { IssuerFailure } from '../../../../operator/issuer/failure.ts';
import type { Secret } from '../../../../operator/ports/secrets.ts';
import type { ObjectStore } from '../../../../operator/runtime/object-store.ts';
import { FakeClock, settle } from '../../../support/fake-clock.ts';
import { cacheOf, clientWith, patient } from '../clients.ts';

const client = clientWith({ clientSecret: { secretRef: { name: 'credentials', key: 'client_secret' } } });

let clock: FakeClock;
let clients: ObjectStore<OAuthClient>;
let data: Record<string, string> | undefined;
let failing: boolean;
let reads: string[];
let gate: Promise<void>;
let secrets: ClientSecrets;

beforeEach(() => {
  clock = new FakeClock();
  clients = cacheOf(client);
  data = { client_secret: 'current\n', client_secret_previous: 'former' };
  failing = false;
  reads = [];
  gate = Promise.resolve();
  secrets = createClientSecrets({
    clients,
    clock,
    readSecret: async ({ namespace, name }) => {
      reads.push(`${namespace}/${name}`);
      await gate;
      if (failing) throw new Error('the API server is away');
      if (data === undefined) return undefined;
      const base64 = Object.entries(data).map(([key, text]) => [key, Buffer.from(text).toString('base64')]);
      return { data: Object.fromEntries(base64) } as Secret;
    },
  });
});

const verify = (...texts: string[]) => secrets.verify(client, texts, { signal: patient });

describe('a client secret', () => {
  test.each<[string, string, boolean]>([
    ['the current one', 'current', true],
    ['the former one', 'former', true],
    ['the current one with its newline', 'current\n', true],
    ['the current one with a newline of Windows', 'current\r\n', true],
    ['the former one with a newline', 'former\n', true],
    ['the current one with two newlines', 'current\n\n', false],
    ['the current one with a space', 'current ', false],
    ['a newline', '\n', false],
    ['a wrong one', 'wrong', false],
    ['an empty one', '', false],
    ['the beginning of one', 'curren', false],
  ])('%s: right is %s', async (_name, text, right) => {
    expect(await verify(text)).toBe(right);
  });

  test.each([
    ['a newline', 'secret\n', ['secret', 'secret\n', 'secret\r\n']],
    ['a newline of Windows', 'secret\r\n', ['secret', 'secret\n', 'secret\r\n']],
    ['no newline', 'secret', ['secret', 'secret\n', 'secret\r\n']],
    ['two newlines', 'secret\n\n', ['secret\n', 'secret\n\n']],
  ])('from a file that ends with %s is right from the same file', async (_name, stored, right) => {
    data = { client_secret: stored };
    for (const text of right) expect(await verify(text)).toBe(true);
    expect(await verify('secret\n\n\n')).toBe(false);
  });

  test('is right if one of those that were meant is, with one read', async () => {
    expect(await verify('wrong', 'current', 'worse')).toBe(true);
    expect(await verify('worse', 'former')).toBe(true);
    expect(reads).toHaveLength(1);
    expect(await verify('wrong', 'worse')).toBe(false);
  });

  test.each<[string, Record<string, string> | undefined]>([
    ['no Secret', undefined],
    ['no such key', { other: 'current' }],
    ['an empty one', { client_secret: '', client_secret_previous: '\n' }],
  ])('nothing is right where there is %s', async (_name, stored) => {
    data = stored;
    for (const text of ['', '\n', 'undefined', 'current', '\0'.repeat(32)])
      expect(await verify(text)).toBe(false);
  });

  test('is read once for all that ask at the same time, and again after 10 s', async () => {
    expect(await Promise.all([verify('current'), verify('wrong'), verify('former')])).toEqual([
      true,
      false,
      true,
    ]);
    await clock.advance(10_000);
    expect(await verify('current')).toBe(true);
    expect(reads).toEqual(['team/credentials']);
    await clock.advance(1);
    expect(await verify('current')).toBe(true);
    expect(reads).toHaveLength(2);
  });

  test('that was replaced is accepted at once, and wrong ones cost one look a second', async () => {
    await verify('current');
    await clock.advance(1000);
    data = { client_secret: 'next', client_secret_previous: 'current' };
    expect(await verify('next')).toBe(true);
    expect(reads).toHaveLength(2);
    for (let at = 0; at < 50; at++) expect(await verify(`guess-${at}`)).toBe(false);
    expect(reads).toHaveLength(2);
    await clock.advance(1000);
    expect(await verify('guess')).toBe(false);
    expect(reads).toHaveLength(3);
  });

  test('that is wrong is looked for as long as that of an unknown client, though a correct one was just read', async () => {
    gate = sleep(clock, 7).then(() => undefined);
    const honest = verify('current');
    await clock.advance(7);
    expect(await honest).toBe(true);
    for (const expected of [2, 2]) {
      expect(await verify('wrong')).toBe(false);
      expect(reads).toHaveLength(expected);
    }
  });

  test('that is wrong costs one look a second also while looks fail', async () => {
    await verify('current');
    await clock.advance(1000);
    failing = true;
    await expect(verify('wrong')).rejects.toMatchObject({ code: 'Unavailable' });
    expect(await verify('wrong')).toBe(false);
    expect(reads).toHaveLength(2);
  });

  test('that was taken away is rejected after 10 s, also where the wall clock goes back', async () => {
    await verify('current');
    data = {};
    clock.step(-3_600_000);
    expect(await verify('current')).toBe(true);
    await clock.advance(10_001);
    expect(await verify('current')).toBe(false);
  });

  test('can’t be validated while the API server is unreachable, but for the 10 s that it is cached', async () => {
    await verify('current');
    failing = true;
    await clock.advance(5000);
    expect(await verify('current')).toBe(true);
    await expect(verify('wrong')).rejects.toMatchObject({ code: 'Unavailable' });
    await clock.advance(5001);
    await expect(verify('current')).rejects.toMatchObject({ code: 'Unavailable' });
  });

  test('is forgotten when its client changes or goes', async () => {
    await verify('current');
    clients.putIfNewer(clientWith(client.spec.authentication, { owner: 'bob' }, '2'));
    await verify('current');
    expect(reads).toHaveLength(2);
    clients.forget('team/app', client.metadata.uid);
    await verify('current');
    expect(reads).toHaveLength(3);
  });

  test('of a client that names another Secret now is not the former one’s', async () => {
    await verify('current');
    data = { client_secret: 'elsewhere' };
    const moved = clientWith({ clientSecret: { secretRef: { name: 'other', key: 'client_secret' } } });
    expect(await secrets.verify(moved, ['current'], { signal: patient })).toBe(false);
    expect(reads).toEqual(['team/credentials', 'team/other']);
  });

  test('is not waited for by who has gone, and still read for the others', async () => {
    let open = (): void => {};
    gate = new Promise((resolve) => {
      open = resolve;
    });
    const gone = new AbortController();
    const first = secrets.verify(client, ['current'], gone);
    const second = verify('current');
    gone.abort();
    await expect(first).rejects.toMatchObject({ code: 'Unavailable' });
    open();
    expect(await second).toBe(true);
    expect(reads).toHaveLength(1);
  });

  test('is read when it has its turn, unless another request has read it meanwhile; what is known needs no turn', async () => {
    const turns: (() => void)[] = [];
    const inTurn = (text: string) =>
      Promise.resolve(
        secrets.verify(client, [text], { signal: patient }, async (work) => {
          await new Promise<void>((resolve) => turns.push(resolve));
          return work();
        }),
      );
    const [first, second, wrong] = [inTurn('current'), inTurn('current'), inTurn('wrong')];
    await settle();
    expect(reads).toEqual([]);
    for (const start of turns) start();
    expect(await Promise.all([first, second, wrong])).toEqual([true, true, false]);
    expect(await inTurn('current')).toBe(true);
    expect(await inTurn('wrong')).toBe(false);
    expect(turns).toHaveLength(3);
    expect(reads).toHaveLength(1);
  });

  describe('of an unknown client', () => {
    const verifyUnknown = (clientID: string, text = 'current') =>
      secrets.verifyAgainstDummy([text], { clientID, call: { signal: patient } });

    test('is never right, and costs no read', async () => {
      expect(await verifyUnknown('unknown')).toBe(false);
      await settle();
      expect(reads).toEqual([]);
    });

    test('is waited for whenever that of a known client would be read, as long as its last read took', async () => {
      const reading = sleep(clock, 7).then(() => undefined);
      gate = reading;
      const known = verify('current');
      await clock.advance(7);
      expect(await known).toBe(true);
      const waits: (number | undefined)[] = [];
      for (const pauseMs of [0, 0, 900, 100, 10_001]) {
        await clock.advance(pauseMs);
        const answer = verifyUnknown('unknown');
        waits.push(clock.untilNext);
        await clock.advance(7);
        expect(await answer).toBe(false);
      }
      expect(waits).toEqual([7, undefined, undefined, 7, 7]);
      expect(reads).toHaveLength(1);
    });

    test('gets the answer of a known client while Secrets can’t be read, and again once they can', async () => {
      const answerOf = async (verification: () => Awaitable<boolean>) => {
        try {
          return await verification();
        } catch (error) {
          const { code, message } = error as IssuerFailure;
          return { code, message };
        }
      };
      const answers: unknown[] = [];
      for (const isAway of [true, true, false, true]) {
        failing = isAway;
        await clock.advance(10_001);
        const known = await answerOf(() => verify('wrong'));
        for (const clientID of ['unknown', 'another'])
          expect(await answerOf(() => verifyUnknown(clientID, 'wrong'))).toEqual(known);
        answers.push(known);
      }
      const unavailable = expect.objectContaining({ code: 'Unavailable' });
      expect(answers).toEqual([unavailable, unavailable, false, unavailable]);
    });

    test('is not waited for by who has gone', async () => {
      gate = sleep(clock, 7).then(() => undefined);
      const known = verify('current');
      await clock.advance(7);
      await known;
      const gone = new AbortController();
      const answer = secrets.verifyAgainstDummy(['x'], { clientID: 'unknown', call: gone });
      gone.abort();
      await expect(answer).rejects.toMatchObject({ code: 'Unavailable' });
    });
  });
});

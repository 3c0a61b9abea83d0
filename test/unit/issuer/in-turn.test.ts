import { expect, test } from '@jest/globals';
import type { FairKey } from '../../../operator/async/fair-queue.ts';
import type { FairTurns } from '../../../operator/async/fair-turns.ts';
import type { Awaitable } from '../../../operator/async/map-awaitable.ts';
import { authenticationInTurns, lookupsInTurns } from '../../../operator/issuer/in-turn.ts';
import type { AuthenticatedClient, BearerSelf } from '../../../operator/issuer/use-cases.ts';
import { tokenRequest } from '../../support/token-request.ts';
import { patient } from './clients.ts';

const call = { address: '2001:db8::1', signal: patient };
const bearer = { owner: 'alice', onlyID: undefined, client: 'team/app' };

/** Turns in which everything starts at once, and the keys for which it does. */
const build = (): { keys: FairKey[]; turns: Pick<FairTurns, 'run'> } => {
  const keys: FairKey[] = [];
  const turns: Pick<FairTurns, 'run'> = {
    run: <T>(keyOf: () => FairKey, work: () => Awaitable<T>) => {
      keys.push(keyOf());
      return work();
    },
  };
  return { keys, turns };
};

const FROM = 'address 2001:db8:0:0::/64';

test('authentication starts in the turn of its address and the client that it names', async () => {
  const { keys, turns } = build();
  const client = {} as AuthenticatedClient;
  const self = {} as BearerSelf;
  const calls: unknown[] = [];
  const inTurns = authenticationInTurns(
    {
      authenticateClient: async (...args) => {
        calls.push(args);
        return client;
      },
      authenticateSelf: async (...args) => {
        calls.push(args);
        return self;
      },
    },
    turns,
  );
  const credentials = tokenRequest({ clientID: 'app' });
  expect(await inTurns.authenticateClient(credentials, call)).toBe(client);
  expect(await inTurns.authenticateSelf('Bearer x', call)).toBe(self);
  expect(keys).toEqual([
    { group: FROM, member: 'app' },
    { group: FROM, member: '' },
  ]);
  expect(calls).toEqual([
    [credentials, call],
    ['Bearer x', call],
  ]);
});

test('the look-up of a filter starts in the turn of its bearer', async () => {
  const { keys, turns } = build();
  const lookups = lookupsInTurns({ find: async () => [] }, turns);
  await lookups.find(bearer, ['x'], call);
  await lookups.find({ ...bearer, client: undefined }, ['x'], call);
  expect(keys.map(({ group }) => group)).toEqual(['client team/app', 'owner alice']);
});

import { expect, test } from '@jest/globals';
import type { FairKey } from '../../../operator/async/fair-queue.ts';
import type { FairTurns } from '../../../operator/async/fair-turns.ts';
import type { Awaitable } from '../../../operator/async/map-awaitable.ts';
import { issuerInTurns, lookupsInTurns } from '../../../operator/issuer/in-turn.ts';
import type { Issuer } from '../../../operator/issuer/use-cases.ts';
import { tokenRequest } from '../../support/token-request.ts';
import { patient } from './clients.ts';

const call = { address: '2001:db8::1', signal: patient };
const credentials = tokenRequest({ clientID: 'app' });
const bearer = { owner: 'alice', onlyID: undefined, client: 'team/app' };

/** Returns what it was called with, and the name. */
const useCase =
  (name: string) =>
  async (...args: unknown[]): Promise<unknown[]> => [name, ...args];

const NAMES = [
  'authenticateClient',
  'authenticateBearer',
  'authenticateSelf',
  'createToken',
  'listTokens',
  'deleteTokens',
  'introspectToken',
  'revokeToken',
];

const build = (): { issuer: Issuer; keys: FairKey[]; turns: Pick<FairTurns, 'run'> } => {
  const keys: FairKey[] = [];
  const turns: Pick<FairTurns, 'run'> = {
    run: <T>(keyOf: () => FairKey, work: () => Awaitable<T>) => {
      keys.push(keyOf());
      return work();
    },
  };
  const plain = Object.fromEntries(NAMES.map((name) => [name, useCase(name)])) as unknown as Issuer;
  return { issuer: issuerInTurns(plain, turns), keys, turns };
};

const FROM = 'address 2001:db8:0:0::/64';

test.each<[string, (issuer: Issuer) => unknown, unknown[], FairKey]>([
  [
    'createToken',
    (issuer) => issuer.createToken(credentials, call),
    [credentials, call],
    { group: FROM, member: 'app' },
  ],
  [
    'authenticateBearer',
    (issuer) => issuer.authenticateBearer('Bearer x', call),
    ['Bearer x', call],
    { group: FROM, member: '' },
  ],
  [
    'authenticateSelf',
    (issuer) => issuer.authenticateSelf('Bearer x', call),
    ['Bearer x', call],
    { group: FROM, member: '' },
  ],
  [
    'introspectToken',
    (issuer) => issuer.introspectToken('jwt', credentials, call),
    ['jwt', credentials, call],
    { group: FROM, member: 'app' },
  ],
  [
    'revokeToken',
    (issuer) => issuer.revokeToken('jwt', credentials, call),
    ['jwt', credentials, call],
    { group: FROM, member: 'app' },
  ],
])('%s starts in the turn of its address and the client that it names', async (name, run, args, key) => {
  const { issuer, keys } = build();
  expect(await run(issuer)).toEqual([name, ...args]);
  expect(keys).toEqual([key]);
});

test('the look-up of a filter starts in the turn of its bearer', async () => {
  const { keys, turns } = build();
  const lookups = lookupsInTurns({ find: async () => [] }, turns);
  await lookups.find(bearer, ['x'], call);
  await lookups.find({ ...bearer, client: undefined }, ['x'], call);
  expect(keys.map(({ group }) => group)).toEqual(['client team/app', 'owner alice']);
});

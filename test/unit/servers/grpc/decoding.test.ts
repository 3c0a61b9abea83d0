import { expect, test } from '@jest/globals';
import type { FairKey } from '../../../../operator/async/fair-queue.ts';
import type { FairTurns } from '../../../../operator/async/fair-turns.ts';
import { IssuerFailure } from '../../../../operator/issuer/failure.ts';
import { eventually } from '../../../support/eventually.ts';
import { type GrpcClient, rejectionOf } from '../../../support/grpc.ts';
import { openServerEnv } from './server-env.ts';

/** Texts that come to more than 1 KiB. */
const MANY = Array.from({ length: 100 }, (_, at) => `text-${at}-of-some-length`);

const CALLS: readonly [string, (client: GrpcClient, texts: readonly string[]) => Promise<unknown>][] = [
  ['CreateToken', (client, texts) => client.createToken({ scope: [...texts] })],
  ['GetTokens', (client, texts) => client.getTokens('Bearer x', { idFilter: [...texts] })],
  ['DeleteTokens', (client, texts) => client.deleteTokens('Bearer x', texts)],
];

test.each(CALLS)(
  '%s: a large request is decoded when its address has its turn, a small one at once',
  async (_, call) => {
    const waiting: { readonly key: FairKey; readonly start: () => void }[] = [];
    const turns: Pick<FairTurns, 'run'> = {
      run: (keyOf, work) =>
        new Promise((resolve) => waiting.push({ key: keyOf(), start: () => resolve(work()) })),
    };
    await using env = await openServerEnv({}, { turns });
    await call(env.client, ['one']);
    expect(waiting).toEqual([]);
    const large = call(env.client, MANY);
    await eventually(() =>
      expect(waiting.map(({ key }) => key)).toEqual([{ group: 'address 127.0.0.1', member: '' }]),
    );
    expect(env.metrics.calls.filter(([name]) => name === 'grpcCall')).toHaveLength(1);
    waiting[0]?.start();
    await large;
  },
);

test.each(CALLS)('%s: a large request is rejected where too many wait for their turn', async (_, call) => {
  const turns: Pick<FairTurns, 'run'> = {
    run: () => Promise.reject(new IssuerFailure('Exhausted', 'too much is asked for')),
  };
  await using env = await openServerEnv({}, { turns });
  expect(await rejectionOf(call(env.client, MANY))).toMatchObject({ code: 'RESOURCE_EXHAUSTED' });
});

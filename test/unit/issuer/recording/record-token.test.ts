import { expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import { createRecordToken, type Recordable } from '../../../../operator/issuer/recording/record-token.ts';
import { createRequestQueues } from '../../../../operator/issuer/request-queues.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedMetrics } from '../../../support/quiet.ts';

const client = { metadata: {}, spec: { recording: 'Batched' } } as OAuthClient;
const token: Recordable = {
  client,
  fields: {} as Recordable['fields'],
  assertion: undefined,
  call: { address: '192.0.2.1', signal: new AbortController().signal },
};

const build = (order: string[]) =>
  createRecordToken({
    records: {
      create: () => {
        throw new Error('it is a batched client');
      },
      delete: () => {
        throw new Error('nothing is to be deleted');
      },
    },
    usedAssertions: {
      findProblem: () => {
        throw new Error('no assertion is used');
      },
      confirm: () => {
        throw new Error('no assertion is used');
      },
    },
    onRecorded: () => undefined,
    addToBatch: () => {
      setImmediate(() => order.push('write'));
      return { id: 'id', recorded: Promise.resolve() };
    },
    newID: () => 'another',
    checkAge: () => {
      throw new Error('its batch checks that');
    },
    queue: createRequestQueues(recordedMetrics(), new FakeClock()).records,
    defer: setImmediate,
  });

test('a batched record is on its way to the API server before its JWT is signed', async () => {
  const order: string[] = [];
  const sign = async (id: string): Promise<string> => {
    order.push('sign');
    return `jwt of ${id}`;
  };
  expect(await build(order)(token, sign)).toEqual({ id: 'id', accessToken: 'jwt of id' });
  expect(order).toEqual(['write', 'sign']);
});

test('what prevents a signature is the failure of its caller alone', async () => {
  const sign = (): Promise<string> => {
    throw new RangeError('a JWT needs an owner');
  };
  await expect(build([])(token, sign)).rejects.toThrow('a JWT needs an owner');
});

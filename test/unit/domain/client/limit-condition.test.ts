import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import type { OAuthClient, OAuthClientStatus } from '../../../../operator/api/oauth-client.ts';
import {
  hasReachedLimit,
  LIMIT_REACHED,
  planLimitCondition,
} from '../../../../operator/domain/client/limit-condition.ts';
import {
  formatReport,
  type LimitRejections,
  sumReports,
} from '../../../../operator/domain/client/limit-reports.ts';
import { makeClient } from '../token/fake-token.ts';

const NOW = Date.UTC(2026, 0, 1);
const SINCE = NOW / 1000 - 90;

const rejected = (changes: Partial<LimitRejections> = {}): LimitRejections => ({
  client: 'n/app',
  uid: 'uid',
  since: SINCE,
  rateExceeded: 0,
  activeTokensExceeded: 0,
  ...changes,
});
const withStatus = (status: OAuthClientStatus | undefined): OAuthClient => {
  const { status: _, ...client } = makeClient({}, 'uid');
  return { ...client, metadata: { ...client.metadata, generation: 4 }, ...(status && { status }) };
};
const READY = {
  type: 'Ready',
  status: 'True',
  reason: 'Registered',
  message: '',
  lastTransitionTime: '2025-12-31T00:00:00Z',
} as const;
const registered = withStatus({ clientID: 'app', conditions: [READY] });

describe('the condition', () => {
  test.each<[string, Partial<LimitRejections>, string, string]>([
    ['a rate', { rateExceeded: 7 }, 'RateExceeded', '7 (7 by tokensPerSecond)'],
    ['a number', { activeTokensExceeded: 1 }, 'ActiveTokensExceeded', '1 (1 by activeTokens)'],
    [
      'both, more often the number',
      { rateExceeded: 2, activeTokensExceeded: 3 },
      'ActiveTokensExceeded',
      '5 (2 by tokensPerSecond, 3 by activeTokens)',
    ],
  ])('says what %s has rejected', (_name, counts, reason, text) => {
    const status = planLimitCondition({ client: registered, rejections: rejected(counts), now: NOW });
    expect(status).toEqual({
      clientID: 'app',
      conditions: [
        {
          type: LIMIT_REACHED,
          status: 'True',
          reason,
          message: `requests for tokens rejected since 2025-12-31T23:58:30Z: ${text}; raise spec.limits, or request less`,
          lastTransitionTime: '2026-01-01T00:00:00Z',
          observedGeneration: 4,
        },
        READY,
      ],
    });
  });

  test('is not planned again when it is there, and goes when there are no rejections', () => {
    const rejections = rejected({ rateExceeded: 7 });
    const status = planLimitCondition({ client: registered, rejections, now: NOW });
    const client = withStatus(status);
    expect(hasReachedLimit(client)).toBe(true);
    expect(planLimitCondition({ client, rejections, now: NOW + 1000 })).toBeUndefined();
    expect(planLimitCondition({ client, rejections: undefined, now: NOW })).toEqual(registered.status);
    expect(planLimitCondition({ client: registered, rejections: undefined, now: NOW })).toBeUndefined();
  });

  test.each<[string, OAuthClient, Partial<LimitRejections>]>([
    ['of a client that is not registered', withStatus(undefined), {}],
    ['of a client that was made again under its name', registered, { uid: 'before' }],
  ])('is not set %s', (_name, client, changes) => {
    const rejections = rejected({ rateExceeded: 7, ...changes });
    expect(planLimitCondition({ client, rejections, now: NOW })).toBeUndefined();
  });
});

describe('reports', () => {
  test('are added up by client', () => {
    const reports = [
      formatReport([rejected({ rateExceeded: 1 }), rejected({ client: 'n/other', activeTokensExceeded: 4 })]),
      formatReport([rejected({ rateExceeded: 2, activeTokensExceeded: 3, since: SINCE - 5 })]),
    ];
    expect([...sumReports(reports)]).toEqual([
      ['n/app', rejected({ rateExceeded: 3, activeTokensExceeded: 3, since: SINCE - 5 })],
      ['n/other', rejected({ client: 'n/other', activeTokensExceeded: 4 })],
    ]);
  });

  test('of a client and of one that had its name are not added up', () => {
    const reports = [
      formatReport([rejected({ uid: 'before', rateExceeded: 9 }), rejected({ rateExceeded: 1 })]),
    ];
    expect(sumReports(reports).get('n/app')).toEqual(rejected({ rateExceeded: 1 }));
  });

  test.each([
    '',
    '{',
    '{}',
    '[1]',
    '[[]]',
    '[["n/app","uid",-1,0,0]]',
    '[["n/app","uid",1.5,0,0]]',
    '[["n/app","uid",1,0]]',
    '[["n/app",1,1,0,0]]',
    `[["${'x'.repeat(70_000)}","uid",1,0,0]]`,
  ])('of another form are ignored: %.40s', (text) => {
    expect(sumReports([text, formatReport([rejected({ rateExceeded: 1 })])]).size).toBe(1);
  });

  test('whatever text an annotation has, it is read without an error', () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
        expect(sumReports([text]).size).toBeLessThanOrEqual(64);
      }),
    );
  });
});

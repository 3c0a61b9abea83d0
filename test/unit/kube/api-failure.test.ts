import { describe, expect, test } from '@jest/globals';
import { retryAfterMsOf, statusFailure, transportFailure } from '../../../operator/kube/api-failure.ts';

const status = (reason: string, message: string, code: number) => ({
  kind: 'Status',
  status: 'Failure',
  reason,
  message,
  code,
});

describe('a Status as an error', () => {
  test.each([
    [
      'a ConfigMap’s message is reported',
      '/api/v1/namespaces/n/configmaps/c',
      'update /api/v1/namespaces/n/configmaps/c: 409 Conflict: it says hunter2',
    ],
    [
      'a Secret’s is not',
      '/api/v1/namespaces/n/secrets/s',
      'update /api/v1/namespaces/n/secrets/s: 409 Conflict',
    ],
    [
      'nor that of a collection of Secrets',
      '/api/v1/namespaces/n/secrets',
      'update /api/v1/namespaces/n/secrets: 409 Conflict',
    ],
    [
      'nor that of a TokenReview',
      '/apis/authentication.k8s.io/v1/tokenreviews',
      'update /apis/authentication.k8s.io/v1/tokenreviews: 409 Conflict',
    ],
  ])('%s', (_name, path, message) => {
    const body = status('Conflict', 'it says hunter2', 409);
    expect(statusFailure({ verb: 'update', path }, { status: 409, body })).toMatchObject({
      message,
      reason: 'Conflict',
    });
  });

  test.each([undefined, null, 'text', 42, [], { message: 7 }])(
    'is made of the status alone from %j',
    (body) => {
      const failure = statusFailure({ verb: 'get', path: '/api' }, { status: 502, body });
      expect(failure).toMatchObject({ message: 'get /api: 502', reason: '', status: 502 });
    },
  );

  test('prefers the header to details for when to come again', () => {
    const body = { ...status('TooManyRequests', '', 429), details: { retryAfterSeconds: 9 } };
    expect(statusFailure({ verb: 'get', path: '/' }, { status: 429, body }).retryAfterMs).toBe(9_000);
    expect(
      statusFailure({ verb: 'get', path: '/' }, { status: 429, body, retryAfterMs: 1_000 }).retryAfterMs,
    ).toBe(1_000);
  });

  test('has a bounded message', () => {
    const body = status('Invalid', 'x'.repeat(100_000), 422);
    expect(statusFailure({ verb: 'get', path: '/' }, { status: 422, body }).message.length).toBeLessThan(
      1_100,
    );
  });
});

test.each([
  ['a timeout', Object.assign(new Error('x'), { code: 'UND_ERR_HEADERS_TIMEOUT' }), 'Timeout'],
  ['a reset', Object.assign(new Error('x'), { code: 'ECONNRESET' }), 'Unreachable'],
  ['anything else', new TypeError('x'), 'Unreachable'],
])('no answer: %s', (_name, cause, reason) => {
  expect(transportFailure({ verb: 'get', path: '/' }, cause)).toMatchObject({ status: 0, reason, cause });
});

test.each([
  ['1', 1_000],
  ['0', 0],
  [undefined, undefined],
  ['Wed, 21 Oct 2026 07:28:00 GMT', undefined],
  ['-5', undefined],
])('Retry-After %j is %j ms', (header, ms) => {
  expect(retryAfterMsOf(header)).toBe(ms);
});

describe('a 403', () => {
  const reasonOf = (message: string, code = 403) => {
    const body = status('Forbidden', message, code);
    return statusFailure({ verb: 'create', path: '/api/v1/namespaces/n/configmaps' }, { status: code, body })
      .reason;
  };

  test.each([
    ['configmaps "c" is forbidden: exceeded quota: few, requested: count/configmaps=1', 'ExceededQuota'],
    ['pods "c" is forbidden: insufficient quota to match these scopes: [x]', 'ExceededQuota'],
    ['configmaps "c" is forbidden: status unknown for quota: few, resources: count/configmaps', 'Forbidden'],
    ['configmaps is forbidden: User "a" cannot create resource "configmaps"', 'Forbidden'],
    ['admission webhook denied the request: exceeded quota', 'Forbidden'],
  ])('%j has the reason %s', (message, reason) => {
    expect(reasonOf(message)).toBe(reason);
  });

  test('alone can be a quota', () => {
    expect(reasonOf('x is forbidden: exceeded quota: few', 409)).toBe('Forbidden');
  });
});

import { describe, expect, test } from '@jest/globals';
import { createLog } from '../../../operator/ops/log.ts';
import { redactText, redactValue } from '../../../operator/ops/redact.ts';
import { ApiError } from '../../../operator/ports/kube.ts';

const JWT = 'eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJhIn0.c2lnbmF0dXJl';
const PEM = '-----BEGIN PRIVATE KEY-----\nMIGH\n-----END PRIVATE KEY-----';

describe('what looks like a secret is taken out of', () => {
  test.each([
    ['a JWT inside a sentence', `token ${JWT} was bad`, 'token [redacted JWT] was bad'],
    ['a PEM block', `key:\n${PEM}\nend`, 'key:\n[redacted PEM]\nend'],
    ['a PEM block that is cut off', '-----BEGIN PRIVATE KEY-----\nMIGH', '[redacted PEM]'],
    ['an Authorization header', 'Authorization: Bearer abc.def', 'Authorization: Bearer [redacted]'],
    ['a Basic header', 'Basic YTpi', 'Basic [redacted]'],
  ])('%s', (_name, text, expected) => {
    expect(redactText(text)).toBe(expected);
  });
});

test('text without secrets stays as it is', () => {
  expect(redactText('Token team-a/report is Issued')).toBe('Token team-a/report is Issued');
});

test('an error keeps its name, status and reason, and its cause is reduced too', () => {
  const error = new ApiError('create secrets team-a/x: Forbidden', {
    status: 403,
    reason: 'Forbidden',
    cause: new Error(`inner ${JWT}`),
  });
  expect(redactValue(error)).toMatchObject({
    name: 'ApiError',
    status: 403,
    reason: 'Forbidden',
    cause: { message: 'inner [redacted JWT]' },
  });
});

test('depth and width are bounded', () => {
  const deep: Record<string, unknown> = {};
  deep.self = deep;
  expect(JSON.stringify(redactValue(deep))).toContain('[deep]');
  expect((redactValue(new Array(1000).fill(1)) as unknown[]).length).toBe(64);
});

test('a log line is JSON with level, time, message and clean fields', () => {
  const lines: string[] = [];
  const log = createLog('info', { write: (line: string) => void lines.push(line) });
  log.child({ kind: 'Token', secret: JWT }).warn(`bad ${JWT}`, { error: new Error(PEM), count: 2n });
  log.debug('not shown');
  expect(lines).toHaveLength(1);
  const line = JSON.parse(lines[0] ?? '') as Record<string, unknown>;
  expect(line).toMatchObject({ level: 'warn', message: 'bad [redacted JWT]', kind: 'Token', count: '2' });
  expect(line.time).toMatch(/^\d{4}-\d\d-\d\dT/u);
  expect(lines[0]).not.toContain('eyJ');
  expect(lines[0]).not.toContain('MIGH');
});

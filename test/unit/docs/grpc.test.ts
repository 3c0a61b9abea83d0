import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { status } from '@grpc/grpc-js';
import { describe, expect, test } from '@jest/globals';
import { MAX_ASSERTION } from '../../../operator/domain/client/token-request.ts';
import { type FailureCode, IssuerFailure, type OAuthErrorCode } from '../../../operator/issuer/failure.ts';
import { SERVER_OPTIONS } from '../../../operator/servers/grpc/limits.ts';
import { abandonedStatus, statusOf } from '../../../operator/servers/grpc/status.ts';

/** docs/grpc.md and the code name the same codes, reasons and limits. */

const text = readFileSync(join(import.meta.dirname, '../../../docs/grpc.md'), 'utf8');
const section = (title: string): string =>
  text.split('\n## ').find((part) => part.startsWith(`${title}\n`)) ?? '';
const rows = [...section('Errors').matchAll(/^\| (.*?) \| (.*?) \|/gmu)];
const named = (column: number): string[] =>
  rows.flatMap((row) => [...(row[column] ?? '').matchAll(/`(\w+)`/gu)].map((match) => match[1] ?? ''));

/** All of each kind: the compiler sees to it. */
const REASONS: Record<OAuthErrorCode, true> = {
  invalid_client: true,
  invalid_request: true,
  invalid_scope: true,
  invalid_target: true,
  unauthorized_client: true,
  unsupported_grant_type: true,
};
const FAILURES: Record<FailureCode, true> = {
  Refused: true,
  BearerInvalid: true,
  OwnerMissing: true,
  Malformed: true,
  Unavailable: true,
  Exhausted: true,
  Limited: true,
};

test('every reason is documented, and every documented one exists', () => {
  expect(named(2).sort()).toEqual([...Object.keys(REASONS), 'temporarily_unavailable'].sort());
});

test('every code that a call can end with is documented, and every documented one is one', () => {
  const failures = (Object.keys(FAILURES) as FailureCode[]).map((code) => new IssuerFailure(code, ''));
  const statuses = [...failures, new Error()].map((error) => statusOf('', error));
  const codes = [...statuses, abandonedStatus(true), abandonedStatus(false)].map(({ code }) => status[code]);
  expect([...new Set(named(1))].sort()).toEqual([...new Set(codes)].sort());
});

describe('limits are documented', () => {
  const kibibytes = Number(SERVER_OPTIONS['grpc.max_receive_message_length']) / 1024;

  test.each([
    `${kibibytes} KiB`,
    `\`client_assertion\` ${MAX_ASSERTION.toLocaleString('en')}`,
    `about ${Number(SERVER_OPTIONS['grpc.max_connection_age_ms']) / 60_000} minutes`,
  ])('%s', (limit) => {
    expect(section('Limits')).toContain(limit);
  });
});

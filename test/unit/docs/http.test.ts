import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { MAX_ASSERTION } from '../../../operator/domain/client/token-request.ts';
import {
  type FailureCode,
  IssuerFailure,
  type OAuthErrorCode,
  refused,
} from '../../../operator/issuer/failure.ts';
import { MAX_IDS } from '../../../operator/issuer/registry/records.ts';
import { HttpFailure } from '../../../operator/servers/http/http-failure.ts';
import { LISTENER_LIMITS, MAX_BODY_BYTES, MAX_HEADER_FIELDS } from '../../../operator/servers/http/limits.ts';
import { oauthErrors } from '../../../operator/servers/http/oauth-errors.ts';
import type { ErrorFamily } from '../../../operator/servers/http/route.ts';
import { routesOf } from '../../../operator/servers/http/routes.ts';
import { rpcErrors } from '../../../operator/servers/http/rpc-errors.ts';

/** docs/http.md and the code name the same paths, errors and limits. */

const text = readFileSync(join(import.meta.dirname, '../../../docs/http.md'), 'utf8');
const section = (title: string): string =>
  text.split('\n## ').find((part) => part.startsWith(`${title}\n`)) ?? '';

/** All of each kind: the compiler sees to it. */
const REASONS: Record<OAuthErrorCode, true> = {
  invalid_client: true,
  invalid_request: true,
  invalid_scope: true,
  invalid_target: true,
  unauthorized_client: true,
  unsupported_grant_type: true,
};
const FAILURES: Record<Exclude<FailureCode, 'Refused'>, true> = {
  BearerInvalid: true,
  OwnerMissing: true,
  Malformed: true,
  Unavailable: true,
  Exhausted: true,
  Limited: true,
};
const failures: readonly unknown[] = [
  ...Object.keys(REASONS).map((reason) => refused(reason as OAuthErrorCode, '')),
  ...Object.keys(FAILURES).map((code) => new IssuerFailure(code as FailureCode, '')),
  new Error(),
];

/** `status word` of every row of the table under that head. */
const documented = (head: string): string[] => {
  const [table = ''] = (section('Errors').split(`| ${head} |`)[1] ?? '').split('\n\n');
  return [...table.matchAll(/^\| (\d{3}) \| ([^|]+) \|/gmu)].flatMap(([, status, words = '']) =>
    [...words.matchAll(/\w+/gu)].map(([word]) => `${status} ${word}`),
  );
};
const given = (family: ErrorFamily, member: string): string[] => {
  const answers = failures.map((failure) => family(failure, ''));
  return answers.map(({ status, body }) => `${status} ${new Map(Object.entries(body)).get(member)}`);
};
const distinct = (words: readonly string[]): string[] => [...new Set(words)].sort();

test('the errors of OAuth endpoints are documented, and no others', () => {
  expect(distinct(documented('status | `error` | what to do'))).toEqual(
    distinct(given(oauthErrors, 'error')),
  );
});

test('the errors of the gateway are documented, and no others', () => {
  expect(distinct(documented('status | `code` | what to do'))).toEqual(distinct(given(rpcErrors, 'code')));
});

test.each([404, 405, 413, 415, 431, 503] as const)('%d of HTTP itself is documented', (status) => {
  expect(new HttpFailure(status).message).not.toBe('');
  expect(section('Errors')).toContain(String(status));
});

test('every path is documented, with its methods, and every documented one is one', () => {
  const routes = routesOf({
    issuerUrl: 'https://issuer.example/base',
    issuer: {} as never,
    keys: { known: true, jwks: () => ({ keys: [] }), onChange: () => () => undefined },
    version: '',
  });
  const named = [...text.matchAll(/^\| ((?:`(?:GET|POST|DELETE)[^|]*)) \|/gmu)].flatMap(([, cell = '']) => {
    const path = /(\{base\}\S*?|\/\.well-known\S*?)`/u.exec(cell)?.[1] ?? '';
    return [...cell.matchAll(/GET|POST|DELETE/gu)].map(([method]) => `${method} ${path}`);
  });
  const aliases = routes.filter(({ path }) => path.includes('oauth-authorization-server'));
  const others = routes.filter((route) => !aliases.includes(route));
  expect(named.sort()).toEqual(
    others.map(({ method, path }) => `${method} ${path.replace('/base', '{base}')}`).sort(),
  );
  expect(aliases).toHaveLength(2);
  expect(text).toContain('`/.well-known/oauth-authorization-server{base}` and below `{base}`');
});

describe('limits are documented', () => {
  const { headersMs, requestMs, stallMs, maxHeaderBytes } = LISTENER_LIMITS;

  test.each([
    `body has at most ${MAX_BODY_BYTES / 1024} KiB`,
    `headers ${maxHeaderBytes / 1024} KiB together and ${MAX_HEADER_FIELDS} fields`,
    `a filter ${MAX_IDS.toLocaleString('en')} ids`,
    `in within ${headersMs / 1000} s, the whole request within ${requestMs / 1000} s`,
    `alone for ${stallMs / 1000} s`,
    `\`client_assertion\` ${MAX_ASSERTION.toLocaleString('en')}`,
  ])('%s', (limit) => {
    expect(section('Limits')).toContain(limit);
  });
});

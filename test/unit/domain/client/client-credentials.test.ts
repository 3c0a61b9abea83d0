import { describe, expect, test } from '@jest/globals';
import type { OAuthClient } from '../../../../operator/api/oauth-client.ts';
import {
  type CredentialsFinding,
  credentialsCondition,
  planCredentials,
} from '../../../../operator/domain/client/client-credentials.ts';
import { findShortSecrets, readClientSecrets } from '../../../../operator/domain/client/client-secret.ts';
import { makeClient } from '../token/fake-token.ts';

const works = (method: CredentialsFinding['method'], remark?: string): CredentialsFinding => ({
  method,
  ...(remark && { remark }),
});
const unreachable: CredentialsFinding = {
  method: 'trustedIssuer',
  problem: { reason: 'IssuerUnreachable', message: 'trusted issuer https://a: no answer' },
};
const invalid: CredentialsFinding = {
  method: 'clientSecret',
  problem: { reason: 'SecretInvalid', message: 'Secret "s" is missing' },
};

test.each([
  ['no method', [], 'False NoMethod', 'declared Tokens only'],
  ['a secret that is there', [works('clientSecret')], 'True Verified', 'clientSecret'],
  ['a secret that is not', [invalid], 'False SecretInvalid', 'Secret "s" is missing'],
  ['an issuer that does not answer', [unreachable], 'False IssuerUnreachable', 'https://a'],
  ['one of two that works', [unreachable, works('serviceAccounts')], 'True Verified', 'https://a: no answer'],
  [
    'an audience that is not checked',
    [works('trustedIssuer', 'any audience (audience "*")')],
    'True Verified',
    '"*"',
  ],
])('%s', (_, findings, expected, word) => {
  const { status, reason, message } = credentialsCondition(findings);
  expect(`${status} ${reason}`).toBe(expected);
  expect(message).toContain(word);
});

test('a message stays readable, however many issuers fail', () => {
  const { message } = credentialsCondition(Array.from({ length: 500 }, () => unreachable));
  expect(message.length).toBeLessThanOrEqual(1024);
});

describe("a Secret's content", () => {
  const encode = (text: string): string => Buffer.from(text).toString('base64');
  test.each([
    ['is taken as it is', 'secret', 'secret'],
    ['loses one newline', 'secret\n', 'secret'],
    ['loses one newline of Windows', 'secret\r\n', 'secret'],
    ['keeps any other', '\nsecret\n\n', '\nsecret\n'],
    ['keeps spaces', ' secret ', ' secret '],
    ['is missing where it is empty', '', undefined],
    ['is missing where it is a newline', '\n', undefined],
  ])('%s', (_, text, expected) => {
    expect(readClientSecrets({ key: encode(text) }, 'key').current).toBe(expected);
    expect(readClientSecrets({ key_previous: encode(text) }, 'key')).toEqual({ previous: expected });
  });

  test('is missing where there is none, or where it is no text', () => {
    expect(readClientSecrets(undefined, 'key').current).toBeUndefined();
    expect(readClientSecrets({ other: encode('x') }, 'key').current).toBeUndefined();
    expect(
      readClientSecrets({ key: Buffer.from([0xff, 0xfe]).toString('base64') }, 'key').current,
    ).toBeUndefined();
  });
});

describe('client secrets that can be guessed', () => {
  const long = 'a'.repeat(16);
  const short = 'a'.repeat(15);
  test.each<[string, string | undefined, string | undefined, string[]]>([
    ['none, if both have 16 characters', long, long, []],
    ['none, if there is none', undefined, undefined, []],
    ['the current one', short, undefined, ['key']],
    ['the previous one', long, short, ['key_previous']],
    ['both', short, 'x', ['key', 'key_previous']],
    ['one with 15 characters that take two UTF-16 units each', '😀'.repeat(15), undefined, ['key']],
    ['none of 16 characters that take several bytes each', 'é'.repeat(16), undefined, []],
  ])('%s', (_, current, previous, expected) => {
    expect(findShortSecrets({ current, previous }, 'key')).toEqual(expected);
  });

  const weak: CredentialsFinding = {
    method: 'clientSecret',
    weakness: { reason: 'SecretTooShort', message: 'key "client_secret" is short' },
  };
  const typesAfter = (client: OAuthClient, findings: CredentialsFinding[]) => {
    const status = planCredentials(client, findings, 0);
    return { status, types: status?.conditions?.map(({ type, status: is }) => `${type}=${is}`) };
  };

  test('are a separate condition while they are there, and then nothing', () => {
    const client = makeClient();
    const first = typesAfter(client, [weak]);
    expect(first.types).toEqual(['CredentialsReady=True', 'CredentialsWeak=True']);
    const known = { ...client, status: first.status ?? {} };
    expect(planCredentials(known, [weak], 60_000)).toBeUndefined();
    expect(typesAfter(known, [{ method: 'clientSecret' }]).types).toEqual(['CredentialsReady=True']);
  });
});

import { describe, expect, test } from '@jest/globals';
import {
  type CredentialsFinding,
  credentialsCondition,
} from '../../../../operator/domain/client/client-credentials.ts';
import { readClientSecrets } from '../../../../operator/domain/client/client-secret.ts';

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

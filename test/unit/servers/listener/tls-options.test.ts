import { expect, test } from '@jest/globals';
import { protectionOf } from '../../../../operator/servers/listener/tls-options.ts';

test.each([
  ['plaintext', '', false],
  ['plaintext', '', true],
  ['server', 'tls.crt', false],
  ['mutual', 'tls.crt', true],
])('is %s with the certificate "%s" and clientCertificateRequired %s', (word, certFile, required) => {
  const files = { certFile, keyFile: '', caFile: '' };
  expect(protectionOf({ ...files, clientCertificateRequired: required })).toBe(word);
});

import { createPublicKey, X509Certificate } from 'node:crypto';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { type ClusterCertificates, createCertificates } from '../../cluster/certificates.ts';

describe('createCertificates', () => {
  let made: ClusterCertificates;
  beforeAll(async () => {
    made = await createCertificates(['127.0.0.1', 'localhost']);
  });

  test('signs every certificate with the CA', () => {
    const ca = new X509Certificate(made.ca);

    expect(ca.ca).toBe(true);
    for (const { certificate } of [made.serving, made.admin, made.controllerManager]) {
      expect(new X509Certificate(certificate).verify(ca.publicKey)).toBe(true);
    }
  });

  test('names hosts as addresses or names', () => {
    const { subjectAltName } = new X509Certificate(made.serving.certificate);

    expect(subjectAltName).toBe('IP Address:127.0.0.1, DNS:localhost');
  });

  test('makes the administrator one by group', () => {
    expect(new X509Certificate(made.admin.certificate).subject).toBe('CN=admin\nO=system:masters');
  });

  test('gives each certificate the key that belongs to it', () => {
    for (const { certificate, key } of [made.serving, made.admin, made.controllerManager]) {
      const spki = { type: 'spki', format: 'pem' } as const;
      const own = new X509Certificate(certificate).publicKey.export(spki);
      expect(createPublicKey(key).export(spki)).toBe(own);
    }
  });
});

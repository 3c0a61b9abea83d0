import { afterAll, describe, test } from '@jest/globals';
import { testApi } from '../../support/api.ts';
import { many, token } from './objects.ts';
import { expectAcceptance } from './rejection.ts';

const api = testApi();
afterAll(api.close);

const secret = (fields: object) => token({ secret: fields });
const renewal = (fields: object, spec: object = {}) => token({ renewal: fields, ...spec });

describe('the API server accepts a Token', () => {
  test.each([
    ['with a clientRef alone', token()],
    ['with a client elsewhere', token({ clientRef: { name: 'a.b-c', namespace: 'team' } })],
    ['with a tokenName of 253 characters that are no ASCII', token({ tokenName: '🗝'.repeat(253) })],
    [
      'with audiences of every kind',
      token({
        audience: [
          'api',
          'größe',
          '*',
          'https://a.example:8443/x?y=%20#z',
          'urn:a:b',
          'https://[::1]/',
          'spiffe://a/b',
          'service:80',
        ],
      }),
    ],
    [
      'with 64 audiences of 512 characters',
      token({ audience: many(64).map((text) => text.padEnd(512, 'x')) }),
    ],
    [
      'with every character that a scope may have',
      token({ scope: ["!#$%&'()*+,-./09:;<=>?@AZ[]^_`az{|}~"] }),
    ],
    ['with 256 scopes of 256 characters', token({ scope: many(256).map((text) => text.padEnd(256, 'x')) })],
    ['with empty audience and scope', token({ audience: [], scope: [] })],
    ['with an expiration', token({ expiration: '2030-01-01T00:00:00.5+02:00' })],
    [
      'with an expiration, its policy said',
      token({ expiration: '2030-01-01T00:00:00Z', renewal: { policy: 'Never' } }),
    ],
    ['with a lifetime of a minute', token({ lifetime: '1m' })],
    ['with a lifetime of 100 years', token({ lifetime: '876000h' })],
    [
      'with a lifetime in fractions and every unit',
      token({ lifetime: '1.5h2m3.25s4ms5us6µs', renewal: { renewBefore: '7ns' } }),
    ],
    ['with a lifetime of a second, not renewed', renewal({ policy: 'Never' }, { lifetime: '1s' })],
    [
      'with a renewal in every detail',
      renewal({ policy: 'Auto', renewBefore: '0s', overlap: '0s' }, { lifetime: '1h' }),
    ],
    [
      'with a Secret in every detail',
      secret({
        name: 'a.b-c',
        key: '.a_B-c',
        labels: { 'example.com/Name': 'A_b.c', b: '' },
        annotations: { 'example.com/a': 'b c\n' },
      }),
    ],
    [
      'with a label key of the longest kind',
      secret({ labels: { [`${`${'a'.repeat(63)}.`.repeat(3)}${'a'.repeat(61)}/${'b'.repeat(63)}`]: 'c' } }),
    ],
    [
      'with a time to live and an expiration',
      token({ expiration: '2030-01-01T00:00:00Z', ttlSecondsAfterExpired: 0 }),
    ],
    [
      'with a time to live, not renewed',
      renewal({ policy: 'Never' }, { ttlSecondsAfterExpired: 2 ** 31 - 1 }),
    ],
    ['that is revoked from the start', token({ revoked: true })],
  ])('%s', (_, object) => expectAcceptance(api, object));
});

import { afterAll, describe, test } from '@jest/globals';
import { testApi } from '../../support/api.ts';
import { many, token } from './objects.ts';
import { expectRejection, type Rejection } from './rejection.ts';

const api = testApi();
afterAll(api.close);

const rejections: readonly Rejection[] = [
  ['without a spec', { ...token(), spec: undefined }, 'spec', 'Required'],
  ['without a clientRef', token({ clientRef: undefined }), 'spec.clientRef', 'Required'],
  ['whose client has no name', token({ clientRef: {} }), 'spec.clientRef.name', 'Required'],
  [
    'whose client has an empty name',
    token({ clientRef: { name: '' } }),
    'spec.clientRef.name',
    'name of an object',
  ],
  [
    'whose client has a name in capitals',
    token({ clientRef: { name: 'App' } }),
    'spec.clientRef.name',
    'name of an object',
  ],
  [
    'whose client has a name of 254 letters',
    token({ clientRef: { name: 'a'.repeat(254) } }),
    'spec.clientRef.name',
    '253',
  ],
  [
    'whose client is in no namespace',
    token({ clientRef: { name: 'a', namespace: 'a.b' } }),
    'spec.clientRef.namespace',
    'name of a namespace',
  ],
  ['with an empty tokenName', token({ tokenName: '' }), 'spec.tokenName', '1 chars'],
  ['with a tokenName of 254 characters', token({ tokenName: 'ä'.repeat(254) }), 'spec.tokenName', '253'],
  ['with a line feed in its tokenName', token({ tokenName: 'a\nb' }), 'spec.tokenName', 'control characters'],
  [
    'with a line feed after its tokenName',
    token({ tokenName: 'a\n' }),
    'spec.tokenName',
    'control characters',
  ],
  [
    'with a C1 control in its tokenName',
    token({ tokenName: 'a\u0085b' }),
    'spec.tokenName',
    'control characters',
  ],
  ['with an empty audience', token({ audience: [''] }), 'spec.audience', '1 chars'],
  ['with a space in an audience', token({ audience: ['a b'] }), 'spec.audience', 'without white space'],
  [
    'with a line feed after an audience',
    token({ audience: ['a\n'] }),
    'spec.audience',
    'without white space',
  ],
  [
    'with a no-break space in an audience',
    token({ audience: ['a\u00a0b'] }),
    'spec.audience',
    'without white space',
  ],
  [
    'with a control character in an audience',
    token({ audience: ['a\u0007'] }),
    'spec.audience',
    'without white space',
  ],
  [
    'with an audience that has a : and is no URI',
    token({ audience: ['10.0.0.1:80'] }),
    'spec.audience',
    'must be a URI',
  ],
  ['with an audience that begins with a :', token({ audience: [':a'] }), 'spec.audience', 'must be a URI'],
  [
    'with an audience that is a scheme alone',
    token({ audience: ['https:'] }),
    'spec.audience',
    'must be a URI',
  ],
  [
    'with an audience whose % is no escape',
    token({ audience: ['urn:%zz'] }),
    'spec.audience',
    'must be a URI',
  ],
  ['with the same audience twice', token({ audience: ['a', 'a'] }), 'spec.audience[1]', 'Duplicate'],
  ['with 65 audiences', token({ audience: many(65) }), 'spec.audience', '64'],
  ['with an audience of 513 characters', token({ audience: ['a'.repeat(513)] }), 'spec.audience', '512'],
  ['with an empty scope', token({ scope: [''] }), 'spec.scope', '1 chars'],
  ['with two scopes in one entry', token({ scope: ['a b'] }), 'spec.scope', 'one scope an entry'],
  ['with a " in a scope', token({ scope: ['a"b'] }), 'spec.scope', 'one scope an entry'],
  ['with a \\ in a scope', token({ scope: ['a\\b'] }), 'spec.scope', 'one scope an entry'],
  ['with a scope beyond ASCII', token({ scope: ['größe'] }), 'spec.scope', 'one scope an entry'],
  ['with a DEL in a scope', token({ scope: ['a\u007f'] }), 'spec.scope', 'one scope an entry'],
  ['with a line feed after a scope', token({ scope: ['a\n'] }), 'spec.scope', 'one scope an entry'],
  ['with the same scope twice', token({ scope: ['a', 'a'] }), 'spec.scope[1]', 'Duplicate'],
  ['with 257 scopes', token({ scope: many(257) }), 'spec.scope', '256'],
  ['with a scope of 257 characters', token({ scope: ['a'.repeat(257)] }), 'spec.scope', '256'],
  ['whose scope is one text', token({ scope: 'a b' }), 'spec.scope', 'array'],
];

describe('the API server rejects a Token', () => {
  test.each(rejections)('%s', (...rejection) => expectRejection(api, rejection));
});

import { describe, expect, test } from '@jest/globals';
import { ErrorInfo } from '../../../../operator/servers/grpc/generated/google/rpc/error_details.ts';
import { Status } from '../../../../operator/servers/grpc/generated/google/rpc/status.ts';
import {
  CreateTokenRequest,
  CreateTokenResponse,
  DeleteTokensRequest,
  DeleteTokensResponse,
  GetTokensRequest,
  M2MOAuthServiceService,
  Token,
} from '../../../../operator/servers/grpc/generated/m2moauthserver/pb/service.ts';
import { type Codec, readMessage, writeMessage } from '../../../../operator/servers/grpc/wire.ts';

/**
 * Bytes written by hand from the .proto that existing clients were made from: `0a 01 61` is field 1 (1 << 3 | 2), one
 * byte long, "a". A field that is renumbered, or whose type changes, shows here.
 */
const bytes = (...fields: string[]): Buffer => Buffer.from(fields.join('').replaceAll(' ', ''), 'hex');

const EMPTY_TOKEN: Token = {
  id: '',
  version: 0n,
  name: '',
  owner: '',
  issuedAt: 0n,
  audience: [],
  scope: [],
  expiration: 0n,
  clientId: '',
  originalTokenClaims: undefined,
  blacklisted: undefined,
  subject: '',
};

// biome-ignore lint/suspicious/noExplicitAny: a table of messages of all types
type Row = [string, Codec<any>, unknown, Buffer];

const ROWS: Row[] = [
  [
    'CreateTokenRequest',
    CreateTokenRequest,
    {
      clientId: 'a',
      clientSecret: 'b',
      audience: ['c', 'd'],
      scope: ['e'],
      expiration: 300n,
      clientAssertionType: 'f',
      clientAssertion: 'g',
      tokenName: 'h',
      grantType: 'i',
    },
    bytes(
      '0a 01 61', // 1 client_id
      '12 01 62', // 2 client_secret
      '1a 01 63 1a 01 64', // 3 audience
      '22 01 65', // 4 scope
      '28 ac 02', // 5 expiration, a varint
      '32 01 66', // 6 client_assertion_type
      '3a 01 67', // 7 client_assertion
      '42 01 68', // 8 token_name
      '4a 01 69', // 9 grant_type
    ),
  ],
  [
    'CreateTokenResponse',
    CreateTokenResponse,
    { accessToken: 'j', tokenType: 'k', expiresIn: 3600n, scope: ['l', 'm'] },
    bytes('0a 01 6a', '12 01 6b', '18 90 1c', '22 01 6c 22 01 6d'),
  ],
  [
    'GetTokensRequest',
    GetTokensRequest,
    { idFilter: ['n', 'o'], includeBlacklisted: true },
    bytes('0a 01 6e 0a 01 6f', '10 01'),
  ],
  ['DeleteTokensRequest', DeleteTokensRequest, { idFilter: ['p'] }, bytes('0a 01 70')],
  [
    'DeleteTokensResponse',
    DeleteTokensResponse,
    { blacklistedCount: 1n, deletedCount: 300n },
    bytes('08 01', '10 ac 02'),
  ],
  [
    'Token',
    Token,
    {
      id: 'q',
      version: 150n,
      name: 'r',
      owner: 's',
      issuedAt: 1_700_000_000n,
      audience: ['t'],
      scope: ['u', 'v'],
      expiration: 1_700_003_600n,
      clientId: 'w',
      originalTokenClaims: { s: 't' },
      blacklisted: { flag: true, timestamp: 1n },
      subject: 'x',
    },
    bytes(
      '0a 01 71', // 1 id
      '10 96 01', // 2 version
      '1a 01 72', // 3 name
      '22 01 73', // 4 owner
      '28 80 e2 cf aa 06', // 5 issued_at
      '32 01 74', // 6 audience
      '3a 01 75 3a 01 76', // 7 scope
      '40 90 fe cf aa 06', // 8 expiration
      '4a 01 77', // 9 client_id
      '52 0c 2a 0a 0a 08 0a 01 73 12 03 1a 01 74', // 10 original_token_claims: Value.struct_value.fields
      '5a 04 08 01 10 01', // 11 blacklisted: 1 flag, 2 timestamp
      '62 01 78', // 12 subject
    ),
  ],
  [
    'google.rpc.Status',
    Status,
    { code: 16, message: 'm', details: [{ typeUrl: 't', value: Buffer.from([1]) }] },
    bytes('08 10', '12 01 6d', '1a 06 0a 01 74 12 01 01'),
  ],
  [
    'google.rpc.ErrorInfo',
    ErrorInfo,
    { reason: 'r', domain: 'd', metadata: { k: 'v' } },
    bytes('0a 01 72', '12 01 64', '1a 06 0a 01 6b 12 01 76'),
  ],
];

test.each(ROWS)('%s is written as these bytes', (_name, codec, message, expected) => {
  expect(writeMessage(codec, message).toString('hex')).toBe(expected.toString('hex'));
});

test.each(ROWS)('%s is read from these bytes', (_name, codec, message, encoded) => {
  expect(readMessage(codec, encoded)).toEqual(message);
});

describe('a google.protobuf.Value', () => {
  test.each<[string, unknown, string]>([
    ['null', null, '08 00'],
    ['a number', 1.5, '11 00 00 00 00 00 00 f8 3f'],
    ['a string', 't', '1a 01 74'],
    ['a boolean', true, '20 01'],
    ['an object', { k: false }, '2a 09 0a 07 0a 01 6b 12 02 20 00'],
    ['an array', [null, true], '32 08 0a 02 08 00 0a 02 20 01'],
  ])('holds %s', (_name, value, hex) => {
    const encoded = bytes(hex);
    const claims = bytes('52', Buffer.from([encoded.length]).toString('hex'), hex);
    const message = { ...EMPTY_TOKEN, originalTokenClaims: value };
    expect(writeMessage(Token, message).toString('hex')).toBe(claims.toString('hex'));
    expect(readMessage(Token, claims)).toEqual(message);
  });
});

test('an int64 may be negative, and as large as it gets', () => {
  const request = { ...CreateTokenRequest.fromPartial({}), expiration: -1n };
  const negative = bytes('28 ff ff ff ff ff ff ff ff ff 01');
  expect(writeMessage(CreateTokenRequest, request)).toEqual(negative);
  expect(readMessage(CreateTokenRequest, negative).expiration).toBe(-1n);
  const largest = bytes('28 ff ff ff ff ff ff ff ff 7f');
  expect(readMessage(CreateTokenRequest, largest).expiration).toBe(2n ** 63n - 1n);
});

test('what is absent reads as nothing', () => {
  expect(readMessage(Token, bytes(''))).toEqual(EMPTY_TOKEN);
});

test('a field of a later version is passed over', () => {
  expect(readMessage(DeleteTokensRequest, bytes('0a 01 70', 'fa 07 01 78'))).toEqual({ idFilter: ['p'] });
});

test.each<[string, string]>([
  ['a string that is cut short', '0a 05 61'],
  ['a string that is no UTF-8', '0a 02 c3 28'],
  ['a lone surrogate in UTF-8’s clothes', '0a 03 ed a0 80'],
  ['a tag that never ends', 'ff ff ff ff ff ff ff ff ff ff ff'],
  ['a group that never ends', '0b 0b 0b'],
])('%s is no message', (_name, hex) => {
  expect(() => readMessage(DeleteTokensRequest, bytes(hex))).toThrow(
    expect.objectContaining({ code: 'Malformed', message: 'the request is no message of this method' }),
  );
});

test('a byte order mark is text like any other', () => {
  expect(readMessage(DeleteTokensRequest, bytes('0a 03 ef bb bf'))).toEqual({ idFilter: ['\ufeff'] });
});

test('the methods have the paths that existing clients call', () => {
  const shapes = Object.values(M2MOAuthServiceService).map(({ path, requestStream, responseStream }) => ({
    path,
    requestStream,
    responseStream,
  }));
  expect(shapes).toEqual([
    { path: '/m2moauthserver.pb.M2MOAuthService/CreateToken', requestStream: false, responseStream: false },
    { path: '/m2moauthserver.pb.M2MOAuthService/GetTokens', requestStream: false, responseStream: true },
    { path: '/m2moauthserver.pb.M2MOAuthService/DeleteTokens', requestStream: false, responseStream: false },
  ]);
});

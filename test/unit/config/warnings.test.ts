import { describe, expect, test } from '@jest/globals';
import { parseConfig } from '../../../operator/config/load.ts';
import { configWarnings } from '../../../operator/config/warnings.ts';

const CERTIFICATE = 'certFile: a, keyFile: b, caFile: c';
const MUTUAL = `{${CERTIFICATE}, clientCertificateRequired: true}`;
const SERVER = `{${CERTIFICATE}}`;
const PLAIN = '{plaintext: true, caFile: c, clientCertificateRequired: true}';

const warningsOf = (grpc: string, http: string) =>
  configWarnings(parseConfig(`grpc: {tls: ${grpc}}\nhttp: {tls: ${http}}\n`, 'config.yaml')).map(
    ({ message, fields }) => [message.split(':')[0], fields.open?.split(', ')[0]],
  );

const HTTP_OPEN = ['client certificates are required by grpc and not by http', 'token endpoint'];
const GRPC_OPEN = ['client certificates are required by http and not by grpc', 'CreateToken'];
const NO_EFFECT = (name: string, open: string) => [
  `${name}.tls.clientCertificateRequired has no effect`,
  open,
];

test.each([
  ['neither listener requires client certificates', SERVER, SERVER, []],
  ['both listeners require them', MUTUAL, MUTUAL, []],
  ['gRPC alone requires them', MUTUAL, SERVER, [HTTP_OPEN]],
  ['HTTP alone requires them', SERVER, MUTUAL, [GRPC_OPEN]],
  ['gRPC requires them, and HTTP is plain text', MUTUAL, '{plaintext: true}', [HTTP_OPEN]],
  ['gRPC requires them in plain text', PLAIN, SERVER, [NO_EFFECT('grpc', 'CreateToken')]],
  [
    'both require them in plain text',
    PLAIN,
    PLAIN,
    [NO_EFFECT('grpc', 'CreateToken'), NO_EFFECT('http', 'token endpoint')],
  ],
  ['both require them, HTTP in plain text', MUTUAL, PLAIN, [NO_EFFECT('http', 'token endpoint'), HTTP_OPEN]],
])('what stays open where %s', (_, grpc, http, expected) => {
  expect(warningsOf(grpc, http)).toEqual(expected);
});

test('it names every endpoint that stays open', () => {
  const [warning] = configWarnings(
    parseConfig(`grpc: {tls: ${MUTUAL}}\nhttp: {tls: ${SERVER}}\n`, 'config.yaml'),
  );
  expect(warning?.fields.open).toBe(
    'token endpoint, introspection, revocation, api/v1/tokens, discovery, JWKS, OpenAPI document',
  );
});

const prefixWarningsOf = (...endpoints: readonly string[]): string[] =>
  configWarnings(
    parseConfig(
      `grpc: {address: "127.0.0.1:9100"}\nhttp: {address: "127.0.0.1:9101"}\nauthorization: {endpoints: [${endpoints.join(', ')}]}`,
      'test.yaml',
    ),
  ).map(({ message }) => message);

describe('a configuration without ownerPrefix is valid for one release more', () => {
  test('and each endpoint without it is named', () => {
    const warnings = prefixWarningsOf(
      '{authority: "https://a.b", audience: x, ownerPrefix: "a:"}',
      '{authority: "https://c.d", audience: x}',
      '{authority: "https://e.f", audience: x}',
    );
    expect(warnings).toHaveLength(2);
    expect(warnings[0]).toMatch(
      /^authorization\.endpoints\[1\]\.ownerPrefix is missing, .*required by the next release/u,
    );
    expect(warnings[1]).toMatch(/^authorization\.endpoints\[2\]\.ownerPrefix is missing/u);
  });

  test.each([[[]], [['{authority: "https://a.b", audience: x, ownerPrefix: ""}']]])(
    'and nothing is to be said of %j',
    (endpoints) => {
      expect(prefixWarningsOf(...endpoints)).toEqual([]);
    },
  );
});

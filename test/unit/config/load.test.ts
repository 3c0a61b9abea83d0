import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ConfigError, loadConfig, parseConfig } from '../../../operator/config/load.ts';

const LOOPBACK = 'grpc: {address: "127.0.0.1:0"}\nhttp: {address: "127.0.0.1:0"}\n';

const problemsOf = (yaml: string): readonly string[] => {
  try {
    parseConfig(yaml, 'test.yaml');
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.problems;
    throw error;
  }
};

describe('defaults', () => {
  test('are those of the specification, with durations in milliseconds', () => {
    const config = parseConfig(LOOPBACK, 'test.yaml');
    expect(config).toMatchObject({
      log: { level: 'info' },
      kubernetes: { namespace: 'm2m-oauth-system', watchNamespaces: [] },
      issuer: {
        url: 'https://localhost:9101/m2m-oauth-server',
        ownerClaim: 'sub',
        deviceIDClaim: '',
        signingKey: 'default',
        jwks: 'All',
        tokenType: 'at+jwt',
        backdate: 0,
      },
      ops: { address: { host: undefined, port: 9102 } },
      probes: { address: { host: undefined, port: 9104 } },
      authorization: { issuedTokens: { access: 'Owner', scope: '', audience: '' }, endpoints: [] },
      outbound: { caFile: '', allowedCIDRs: [] },
      garbageCollection: { ttlAfterExpiry: 3_600_000, ttlAfterBlacklisted: 2_592_000_000 },
      leaderElection: { enabled: true, leaseDuration: 15_000, renewDeadline: 10_000, retryPeriod: 2000 },
    });
  });

  test('take the namespace from the pod', () => {
    expect(parseConfig(LOOPBACK, 'test.yaml', 'here').kubernetes.namespace).toBe('here');
  });

  test('are frozen at every depth', () => {
    const config = parseConfig(LOOPBACK, 'test.yaml');
    expect(Object.isFrozen(config.grpc.tls)).toBe(true);
  });
});

describe('a problem names its field and says what was expected', () => {
  test.each([
    ['an unknown key', 'isuer: {}', 'isuer: is not a setting'],
    ['an unknown key below', 'log: {levle: info}', 'log.levle: is not a setting'],
    ['a level that is none', 'log: {level: loud}', 'log.level: '],
    ['a number where a text belongs', 'issuer: {url: 5}', 'issuer.url: '],
    [
      'an issuer that is no URL',
      'issuer: {url: here}',
      'issuer.url: must be an absolute https URL, not "here"',
    ],
    ['an issuer over http', 'issuer: {url: "http://example.com/x"}', 'issuer.url: must be an https URL'],
    ['a slash at the end', 'issuer: {url: "https://example.com/"}', 'issuer.url: must not end with a slash'],
    [
      'a previous URL that is the present one, written in another way',
      'issuer: {url: "https://a.b/c", previousURLs: ["https://old.b", "https://A.b:443/c"]}',
      'issuer.previousURLs[1]: must differ from issuer.url',
    ],
    [
      'a previous URL twice',
      'issuer: {previousURLs: ["https://old.b", "https://old.b"]}',
      'issuer.previousURLs[1]: must differ',
    ],
    [
      'a previous URL with a slash at the end',
      'issuer: {previousURLs: ["https://old.b/"]}',
      'issuer.previousURLs[0]: must not end with a slash',
    ],
    [
      'an endpoint that is this issuer as it was',
      'issuer: {previousURLs: ["https://old.b"]}\nauthorization: {endpoints: [{authority: "https://old.b/", audience: x}]}',
      'authorization.endpoints[0].authority: must not be this issuer',
    ],
    ['a query', 'issuer: {url: "https://example.com/x?y"}', 'issuer.url: must have no query'],
    ['a registered owner claim', 'issuer: {ownerClaim: iss}', 'issuer.ownerClaim: must not be a registered'],
    ['an empty owner claim', 'issuer: {ownerClaim: ""}', 'issuer.ownerClaim: '],
    ['the same claim twice', 'issuer: {deviceIDClaim: sub}', 'issuer.deviceIDClaim: must differ'],
    ['a duration that is none', 'issuer: {backdate: later}', 'issuer.backdate: must be a duration'],
    ['too long a backdate', 'issuer: {backdate: 1h}', 'issuer.backdate: must be at most 10m'],
    ['an address without a port', 'ops: {address: localhost}', 'ops.address: must be HOST:PORT'],
    ['a port that is none', 'ops: {address: "0.0.0.0:70000"}', 'ops.address: must be HOST:PORT'],
    [
      'a SigningKey with an unknown field',
      'signingKey: {spec: {rotation: {every: 1h}}}',
      'signingKey.spec.rotation.every: is not',
    ],
    [
      'a SigningKey with an unknown algorithm',
      'signingKey: {spec: {algorithm: HS256}}',
      'signingKey.spec.algorithm: ',
    ],
    ['a port alone, without its colon', 'ops: {address: "9102"}', 'ops.address: must be HOST:PORT'],
    ['an IPv6 address without brackets', 'ops: {address: "::1:9102"}', 'ops.address: must be HOST:PORT'],
    ['plain text on a port alone', 'grpc: {address: ":1"}', 'grpc.tls: an address that is not loopback'],
    [
      'plain text on all addresses',
      'grpc: {address: "0.0.0.0:1"}',
      'grpc.tls: an address that is not loopback',
    ],
    [
      'half a certificate',
      'grpc: {address: "127.0.0.1:1", tls: {certFile: x}}',
      'grpc.tls: certFile and keyFile',
    ],
    [
      'client certificates without an authority',
      'grpc: {address: "127.0.0.1:1", tls: {clientCertificateRequired: true}}',
      'grpc.tls.clientCertificateRequired: needs caFile',
    ],
    [
      'a CIDR that is none',
      'outbound: {allowedCIDRs: ["10.0.0.0/33"]}',
      'outbound.allowedCIDRs[0]: must be an IP',
    ],
    [
      'a namespace that is none',
      'kubernetes: {watchNamespaces: [A_B]}',
      'kubernetes.watchNamespaces[0]: must be',
    ],
    [
      'a lease shorter than its deadline',
      'leaderElection: {leaseDuration: 5s}',
      'leaderElection.renewDeadline: must be shorter',
    ],
    ['too slow a retry', 'leaderElection: {retryPeriod: 9s}', 'leaderElection.retryPeriod: times 1.2'],
    [
      'an authority over http',
      'authorization: {endpoints: [{authority: "http://a.b", audience: x}]}',
      'authorization.endpoints[0].authority: must be an https URL',
    ],
    ...['https://a.b:443/c/', 'HTTPS://A.b/c', 'https://a.b/c/.', 'https://a.b./c'].map(
      (authority) =>
        [
          `an endpoint that is this issuer, as ${authority}`,
          `issuer: {url: "https://a.b/c"}\nauthorization: {endpoints: [{authority: "https://a.b", audience: x}, {authority: "${authority}", audience: x}]}`,
          'authorization.endpoints[1].authority: must not be this issuer (issuer.url)',
        ] as const,
    ),
    [
      'two endpoints that differ by a slash at the end',
      'authorization: {endpoints: [{authority: "https://a.b", audience: x}, {authority: "https://a.b/", audience: x}]}',
      'authorization.endpoints[1].authority: differs from that of another entry by a slash',
    ],
    [
      'a type that is too long',
      `authorization: {endpoints: [{authority: "https://a.b", audience: x, additionalTypes: ["${'a'.repeat(129)}"]}]}`,
      'authorization.endpoints[0].additionalTypes[0]: ',
    ],
    ...['grpc', 'http', 'ops'].map(
      (name) =>
        [
          `a probe port that is the port of ${name}`,
          `${name}: {address: "127.0.0.1:9104"}`,
          `probes.address: must differ from the port of ${name}.address (9104)`,
        ] as const,
    ),
    ['a negative rate', 'limits: {perClient: {tokensPerSecond: -1}}', 'limits.perClient.tokensPerSecond: '],
    ['a part of a burst', 'limits: {perClient: {burst: 0.5}}', 'limits.perClient.burst: '],
    [
      'a negative number of tokens',
      'limits: {perClient: {activeTokens: -1}}',
      'limits.perClient.activeTokens: ',
    ],
    ['a limit that is none', 'limits: {perClient: {tokens: 1}}', 'limits.perClient.tokens: is not a setting'],
    ['a watermark beyond the limit', 'limits: {memoryWatermark: 101}', 'limits.memoryWatermark: '],
    ['a list for the whole', '- a', 'the configuration: '],
  ])('%s', (_name, yaml, start) => {
    const problems = problemsOf(yaml);
    expect(problems.some((problem) => problem.startsWith(start))).toBe(true);
  });
});

test('every problem is reported at once', () => {
  const problems = problemsOf(
    'log: {level: loud}\nissuer: {url: x}\nops: {address: y}\ngrpc: {colour: red}\n',
  );
  for (const field of ['log.level', 'issuer.url', 'ops.address', 'grpc.colour']) {
    expect(problems.some((problem) => problem.startsWith(`${field}: `))).toBe(true);
  }
});

test('text that is no YAML is rejected with line and column', () => {
  expect(problemsOf('log: {level: info\nx: [')[0]).toMatch(/^line \d+, column \d+: /u);
});

test('a key given twice is rejected', () => {
  expect(problemsOf('log: {}\nlog: {}')[0]).toMatch(/unique/iu);
});

test('a file that is not there is named', () => {
  expect(() => loadConfig('/nowhere/config.yaml')).toThrow('/nowhere/config.yaml');
});

test('a file is read', () => {
  const dir = mkdtempSync(join(tmpdir(), 'm2m-config-'));
  try {
    const path = join(dir, 'config.yaml');
    writeFileSync(path, `${LOOPBACK}log: {level: debug}\n`);
    expect(loadConfig(path).log.level).toBe('debug');
  } finally {
    rmSync(dir, { recursive: true });
  }
});

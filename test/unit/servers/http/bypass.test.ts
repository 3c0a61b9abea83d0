import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { IssuerFailure } from '../../../../operator/issuer/failure.ts';
import { LISTENER_LIMITS } from '../../../../operator/servers/http/limits.ts';
import { RawConnection, rawRequest } from './raw-http.ts';
import { BASE, openServerEnv, type ServerEnv } from './server-env.ts';

// Real sockets and timers on a machine that may be busy.
/** Attempts to bypass the bearer check: each is rejected, and none reaches a use case but the check itself. */

const TOKENS = `${BASE}/api/v1/tokens`;
const PUBLIC = `${BASE}/.well-known/jwks.json`;

const rejectCaller = async () => {
  throw new IssuerFailure('BearerInvalid', 'no');
};
let env: ServerEnv;
beforeEach(async () => {
  const limits = { ...LISTENER_LIMITS, headersMs: 500, requestMs: 1000, checkMs: 50 };
  env = await openServerEnv({ authenticateBearer: rejectCaller, authenticateSelf: rejectCaller }, { limits });
});
afterEach(() => env[Symbol.asyncDispose]() as Promise<void>);

/** The status of every response on one connection, which is then ended; undefined for an incomplete one. */
const statusesOf = async (bytes: string): Promise<(number | undefined)[]> => {
  await using connection = new RawConnection(env.port);
  connection.write(bytes);
  connection.socket.end();
  const statuses: (number | undefined)[] = [];
  const head = bytes.startsWith('HEAD ');
  for (let answer = await connection.answer({ head }); answer; answer = await connection.answer()) {
    statuses.push(answer.status);
  }
  if (connection.received !== '') statuses.push(undefined);
  return statuses;
};

const CHECKS = ['authenticateBearer', 'authenticateSelf'];
const expectNoWayAround = (): void => {
  expect(env.calls.map(([name]) => name).filter((name) => !CHECKS.includes(name))).toEqual([]);
};

describe('another spelling of a path is no path', () => {
  test.each([
    ['dot segments', `${BASE}/.well-known/../api/v1/tokens`],
    ['dot segments to a public path', `${TOKENS}/../../../.well-known/jwks.json`],
    ['one dot', `${BASE}/./api/v1/tokens`],
    ['encoded dots', `${BASE}/.well-known/%2e%2e/api/v1/tokens`],
    ['half-encoded dots', `${BASE}/.well-known/.%2E/api/v1/tokens`],
    ['dots that are encoded twice', `${BASE}/.well-known/%252e%252e/api/v1/tokens`],
    ['dots in overlong UTF-8', `${BASE}/.well-known/%c0%ae%c0%ae/api/v1/tokens`],
    ['an encoded slash', `${BASE}/api%2Fv1/tokens`],
    ['an encoded slash in lower case', `${BASE}/api/v1%2ftokens`],
    ['a slash that is encoded twice', `${BASE}/api%252Fv1/tokens`],
    ['a backslash', `${BASE}/api\\v1\\tokens`],
    ['an encoded backslash', `${BASE}/api%5Cv1/tokens`],
    ['an encoded letter', `${BASE}/api/v1/%74okens`],
    ['two slashes', `${BASE}//api/v1/tokens`],
    ['two slashes at the start', `/${TOKENS}`],
    ['a slash at the end', `${TOKENS}/`],
    ['capitals', TOKENS.toUpperCase()],
    ['parameters in the path', `${TOKENS};x=1`],
    ['parameters in a segment', `${BASE}/api;x/v1/tokens`],
    ['a null byte', `${TOKENS}%00`],
    ['a null byte and a public path', `${TOKENS}%00${PUBLIC}`],
    ['a space', `${TOKENS}%20`],
    ['a line break', `${TOKENS}%0d%0a`],
    ['a fragment', `${TOKENS}#${PUBLIC}`],
    ['an encoded question mark', `${TOKENS}%3fidFilter=x`],
    ['an encoding that is none', `${TOKENS}%zz`],
    ['an encoding that is cut short', `${TOKENS}%2`],
    ['a URL with a user', `http://issuer.example@evil${TOKENS}`],
    ['a URL with a name and a password', `http://a:b@issuer.example${TOKENS}`],
    ['a URL without a host', `http://${TOKENS}`],
    ['a URL without slashes', `http:${TOKENS}`],
    ['a URL of another scheme', `ftp://issuer.example${TOKENS}`],
    ['a URL in a URL', `http://issuer.example/http://issuer.example${TOKENS}`],
    ['a URL with dot segments', `http://issuer.example${BASE}/.well-known/../api/v1/tokens`],
    ['a URL with two slashes', `http://issuer.example/${TOKENS}`],
    ['a URL with a backslash', `http://issuer.example\\evil${TOKENS}`],
    ['a URL with a fragment', `http://issuer.example#${TOKENS}`],
    ['a URL whose path is in its query', `http://issuer.example?${TOKENS}`],
    ['a URL without a scheme', `//issuer.example${TOKENS}`],
    ['no slash at the start', TOKENS.slice(1)],
    ['a colon', `:${TOKENS}`],
    ['a question mark before it', `?${TOKENS}`],
    ['a star', '*'],
    ['the prefix of a route', `${BASE}/api/v1`],
    ['the base alone', BASE],
    ['a route without its base', '/api/v1/tokens'],
    ['a full-width letter', `${BASE}/api/v1/%ef%bd%94okens`],
  ])('with %s: %s', async (_name, target) => {
    for (const method of ['GET', 'DELETE', 'POST', 'HEAD', 'OPTIONS']) {
      const [status, ...more] = await statusesOf(rawRequest(`${method} ${target}`, { Connection: 'close' }));
      expect(more).toEqual([]);
      expect([400, 404]).toContain(status);
    }
    expect(env.calls).toEqual([]);
  });
});

test.each([
  `http://issuer.example${TOKENS}`,
  `https://issuer.example:9101${TOKENS}`,
  `HTTP://evil.example${TOKENS}?includeBlacklisted=true&idFilter=x`,
  `http://[::1]:80${TOKENS}?x=${PUBLIC}`,
])('a URL as the target asks for a bearer as its path does: %s', async (target) => {
  for (const method of ['GET', 'HEAD']) {
    expect(await statusesOf(rawRequest(`${method} ${target}`, { Connection: 'close' }))).toEqual([401]);
  }
  expect(env.calls).toHaveLength(2);
  expectNoWayAround();
});

describe('a query does not change the path', () => {
  test.each([
    `${TOKENS}?${PUBLIC}`,
    `${TOKENS}?/../../.well-known/jwks.json`,
    `${TOKENS}?x=${PUBLIC}`,
    `${TOKENS}?path=${PUBLIC}&_method=POST`,
    `${TOKENS}?x#${PUBLIC}`,
    `${TOKENS}??`,
    `${TOKENS}?%00`,
    `${TOKENS}?%zz`,
    `${TOKENS}?access_token=x`,
    `${TOKENS}?authorization=Bearer+x`,
    `${TOKENS}?includeBlacklisted=true&idFilter=x`,
  ])('%s asks for a bearer', async (target) => {
    expect(await statusesOf(rawRequest(`GET ${target}`, { Connection: 'close' }))).toEqual([401]);
    expect(env.calls).toHaveLength(1);
    expectNoWayAround();
  });

  test.each([`${PUBLIC}?${TOKENS}`, `${PUBLIC}?x=${TOKENS}&idFilter=x`, `${PUBLIC}?/../../api/v1/tokens`])(
    '%s is public and no more',
    async (target) => {
      expect(await statusesOf(rawRequest(`GET ${target}`, { Connection: 'close' }))).toEqual([200]);
      expect(env.calls).toEqual([]);
    },
  );
});

describe('a header does not change the path, the method or the caller', () => {
  test.each([
    ['X-HTTP-Method-Override', 'POST'],
    ['X-HTTP-Method', 'POST'],
    ['X-Method-Override', 'OPTIONS'],
    ['X-Original-URL', PUBLIC],
    ['X-Rewrite-URL', PUBLIC],
    ['X-Forwarded-Prefix', '/..'],
    ['X-Forwarded-Uri', PUBLIC],
    ['X-Forwarded-User', 'admin'],
    ['X-Remote-User', 'admin'],
    ['X-Forwarded-For', '127.0.0.1'],
    ['X-Forwarded-Client-Cert', 'Subject="admin"'],
    ['Proxy-Authorization', 'Bearer x'],
    ['Cookie', 'authorization=Bearer x'],
    ['Accept-Version', '2'],
    ['Accept', 'application/protojson'],
    ['Host', 'localhost'],
  ])('%s: %s', async (name, value) => {
    for (const method of ['GET', 'DELETE']) {
      const request = rawRequest(`${method} ${TOKENS}`, { Connection: 'close', [name]: value });
      const one = name === 'Host' ? request.replace('Host: issuer.example\r\n', '') : request;
      expect(await statusesOf(one)).toEqual([401]);
    }
    expectNoWayAround();
  });
});

describe('what is given twice is rejected', () => {
  const once = { Connection: 'close' };
  test.each([
    ['an Authorization header', ['Authorization: Bearer a', 'authorization: Bearer b'], 401],
    ['the same Authorization header', ['Authorization: Bearer a', 'Authorization: Bearer a'], 401],
    ['a Content-Length', ['Content-Length: 0', 'Content-Length: 5'], 400],
    ['the same Content-Length', ['Content-Length: 0', 'Content-Length: 0'], 400],
    ['a Content-Length in a list', ['Content-Length: 0, 5'], 400],
    ['a Transfer-Encoding', ['Transfer-Encoding: chunked', 'Transfer-Encoding: identity'], 400],
  ])('%s', async (_name, headers, status) => {
    for (const method of ['GET', 'DELETE']) {
      expect(await statusesOf(rawRequest(`${method} ${TOKENS}`, [...headers, 'Connection: close']))).toEqual([
        status,
      ]);
    }
    expect(env.calls).toEqual([]);
  });

  test.each([
    ['includeBlacklisted=false&includeBlacklisted=true'],
    ['includeBlacklisted=true&include_blacklisted=true'],
    ['includeBlacklisted='],
    ['includeBlacklisted=yes'],
  ])('a flag: %s', async (query) => {
    expect(await statusesOf(rawRequest(`GET ${TOKENS}?${query}`, once))).toEqual([400]);
    expect(env.calls).toEqual([]);
  });

  test('a client in two Basic headers', async () => {
    const headers = [
      'Content-Type: application/x-www-form-urlencoded',
      'Content-Length: 29',
      'Authorization: Basic YTpi',
      'Authorization: Basic Yzpk',
      'Connection: close',
    ];
    const body = 'grant_type=client_credentials';
    expect(await statusesOf(rawRequest(`POST ${BASE}/oauth/token`, headers, body))).toEqual([400]);
    expect(env.calls).toEqual([]);
  });

  test.each([['{"clientId":"a","client_id":"b"}'], ['{"grant_type":"a","grantType":"a"}']])(
    'a member by both of its names: %s',
    async (body) => {
      const headers = { 'Content-Length': String(body.length), Connection: 'close' };
      expect(await statusesOf(rawRequest(`POST ${TOKENS}`, headers, body))).toEqual([400]);
      expect(env.calls).toEqual([]);
    },
  );
});

describe('a filter that is misspelt is no filter for all', () => {
  test.each(['idfilter=x', 'idFilter[]=x', 'ids=x', 'id=x', 'idFilter=', 'idFilter=a&idFilter=', 'x'])(
    'DELETE ?%s',
    async (query) => {
      expect(await statusesOf(rawRequest(`DELETE ${TOKENS}?${query}`, { Connection: 'close' }))).toEqual([
        400,
      ]);
      expect(env.calls).toEqual([]);
    },
  );
});

describe('a request within a request is none', () => {
  /** What a proxy before us might have taken for a body. */
  const SMUGGLED = rawRequest(`DELETE ${TOKENS}`, { Authorization: 'Bearer x' });
  const behind = (headers: readonly string[], body: string): string =>
    rawRequest(`POST ${BASE}/oauth/introspect`, headers, body);

  test.each([
    [
      'Content-Length and chunked',
      behind(['Content-Length: 4', 'Transfer-Encoding: chunked'], `0\r\n\r\n${SMUGGLED}`),
    ],
    [
      'chunked and Content-Length',
      behind(['Transfer-Encoding: chunked', 'Content-Length: 4'], `0\r\n\r\n${SMUGGLED}`),
    ],
    [
      'a Transfer-Encoding that is spelt in another way',
      behind(['Transfer-Encoding: xchunked'], `0\r\n\r\n${SMUGGLED}`),
    ],
    [
      'a Transfer-Encoding behind a tab',
      behind(['Transfer-Encoding:\tchunked', 'Content-Length: 4'], `0\r\n\r\n${SMUGGLED}`),
    ],
    ['chunked that is not last', behind(['Transfer-Encoding: chunked, identity'], `0\r\n\r\n${SMUGGLED}`)],
    ['a space before the colon', behind(['Content-Length : 5'], SMUGGLED)],
    [
      'a Transfer-Encoding with a space before the colon',
      behind(['Transfer-Encoding : chunked'], `0\r\n\r\n${SMUGGLED}`),
    ],
    ['a length with a sign', behind(['Content-Length: +5'], `12345${SMUGGLED}`)],
    ['a length in hexadecimal', behind(['Content-Length: 0x5'], `12345${SMUGGLED}`)],
    ['a length below zero', behind(['Content-Length: -1'], SMUGGLED)],
    ['a length without end', behind(['Content-Length: 99999999999999999999'], SMUGGLED)],
    ['a folded header', behind(['X: y', ' Transfer-Encoding: chunked'], SMUGGLED)],
    ['a folded length', behind(['Content-Length:', ' 5'], `12345${SMUGGLED}`)],
    ['a line break alone', behind(['X: y\nTransfer-Encoding: chunked'], SMUGGLED)],
    ['a carriage return alone', behind(['X: y\rContent-Length: 5'], SMUGGLED)],
    ['a null byte in a header', behind(['X: y\u0000', 'Content-Length: 0'], SMUGGLED)],
    ['no name', behind([': y'], SMUGGLED)],
    ['no colon', behind(['X'], SMUGGLED)],
    ['a chunk whose size is none', behind(['Transfer-Encoding: chunked'], `x\r\n${SMUGGLED}`)],
    [
      'a chunk whose size is in capitals of another kind',
      behind(['Transfer-Encoding: chunked'], `0x0\r\n\r\n${SMUGGLED}`),
    ],
    ['a chunk without end', behind(['Transfer-Encoding: chunked'], `ffffffffffffffffff\r\n${SMUGGLED}`)],
    ['a chunk below zero', behind(['Transfer-Encoding: chunked'], `-1\r\n${SMUGGLED}`)],
    [
      'a chunk that is longer than it says',
      behind(['Transfer-Encoding: chunked'], `1\r\nxx\r\n0\r\n\r\n${SMUGGLED}`),
    ],
    [
      'a chunk that ends in a line break alone',
      behind(['Transfer-Encoding: chunked'], `1\nx\n0\n\n${SMUGGLED}`),
    ],
    ['another version', `GET ${TOKENS} HTTP/3.0\r\nHost: x\r\n\r\n${SMUGGLED}`],
    ['a space in the target', `GET ${PUBLIC} ${TOKENS} HTTP/1.1\r\nHost: x\r\n\r\n${SMUGGLED}`],
    ['the preface of HTTP/2', `PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n${SMUGGLED}`],
  ])('behind %s', async (_name, bytes) => {
    const statuses = await statusesOf(bytes);
    expect(statuses.length).toBeLessThanOrEqual(1);
    expect([400, 413, undefined]).toContain(statuses[0]);
    expect(env.calls).toEqual([]);
  });

  test('in a body is a body', async () => {
    const request = behind(
      ['Content-Type: text/plain', `Content-Length: ${SMUGGLED.length}`, 'Connection: close'],
      SMUGGLED,
    );
    expect(await statusesOf(request)).toEqual([415]);
    const get = rawRequest(
      `GET ${PUBLIC}`,
      { 'Content-Length': String(SMUGGLED.length), Connection: 'close' },
      SMUGGLED,
    );
    expect(await statusesOf(get)).toEqual([200]);
    expect(env.calls).toEqual([]);
  });

  test('in a trailer is nothing', async () => {
    const request = rawRequest(
      `DELETE ${TOKENS}`,
      ['Transfer-Encoding: chunked', 'Trailer: Authorization', 'Connection: close'],
      '0\r\nAuthorization: Bearer x\r\n\r\n',
    );
    expect(await statusesOf(request)).toEqual([401]);
    expect(env.calls).toEqual([['authenticateBearer', undefined, { address: '127.0.0.1' }]]);
  });

  test('an upgrade or a tunnel is not made', async () => {
    const upgrade = {
      Connection: 'Upgrade, HTTP2-Settings',
      Upgrade: 'h2c',
      'HTTP2-Settings': 'AAMAAABkAAQ',
    };
    expect(await statusesOf(rawRequest(`GET ${TOKENS}`, upgrade))).toEqual([401]);
    const websocket = { Connection: 'Upgrade', Upgrade: 'websocket' };
    expect(await statusesOf(rawRequest(`GET ${TOKENS}`, websocket))).toEqual([401]);
    expect(await statusesOf(rawRequest('CONNECT issuer.example:443'))).toEqual([]);
    expectNoWayAround();
  });
});

describe('what is not HTTP/1.1 to the letter', () => {
  test('no Host', async () => {
    expect(await statusesOf(`GET ${TOKENS} HTTP/1.1\r\n\r\n`)).toEqual([400]);
    expect(env.calls).toEqual([]);
  });

  test('HTTP/1.0 asks for a bearer as well', async () => {
    expect(await statusesOf(`GET ${TOKENS} HTTP/1.0\r\n\r\n`)).toEqual([401]);
    expectNoWayAround();
  });

  test('no version asks for a bearer, and nothing behind it is read', async () => {
    const behind = rawRequest(`DELETE ${TOKENS}`, { Authorization: 'Bearer x' });
    // What comes behind may be seen to be nonsense before the first is answered.
    expect([[401], [400]]).toContainEqual(await statusesOf(`GET ${TOKENS}\r\n\r\n${behind}`));
    expect(env.calls.map(([name]) => name)).toEqual(['authenticateSelf']);
  });

  test('an unknown expectation', async () => {
    expect(await statusesOf(rawRequest(`GET ${TOKENS}`, { Expect: 'the-token' }))).toEqual([417]);
    expect(env.calls).toEqual([]);
  });
});

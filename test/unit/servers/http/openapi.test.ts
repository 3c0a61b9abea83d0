import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { routesOf } from '../../../../operator/servers/http/routes.ts';
import { tokenRecord } from '../grpc/server-env.ts';
import { BASE, ISSUER_URL, openServerEnv, type ServerEnv, TestKeys } from './server-env.ts';

/** The OpenAPI document describes every route as the server behaves. */

interface Schema {
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
}
interface Answer {
  readonly description: string;
  readonly content?: Readonly<Record<string, { readonly schema: Schema }>>;
}
interface Operation {
  readonly summary: string;
  readonly security?: unknown;
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: Schema }>> };
  readonly responses: Readonly<Record<string, Answer>>;
}

let env: ServerEnv;
// biome-ignore lint/suspicious/noExplicitAny: what the document is, the tests say
let document: any;

const RECORD = {
  ...tokenRecord('one'),
  audience: ['https://api.example'],
  originalTokenClaims: { email: 'x' },
  blacklistedAt: 7,
};

beforeAll(async () => {
  env = await openServerEnv({
    async *listTokens() {
      yield [RECORD];
    },
  });
  document = await (await fetch(`${env.url}/openapi.json`)).json();
});

afterAll(async () => {
  await env?.[Symbol.asyncDispose]();
});

const typeOf = (value: unknown): string => {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  return Number.isInteger(value) ? 'integer' : typeof value;
};

/** Where a value is not what a schema says; a member that the schema does not name is such a place. */
const misfits = (schema: Schema, value: unknown, path = ''): string[] => {
  const types = schema.type === undefined ? [] : [schema.type].flat();
  if (types.length > 0 && !types.includes(typeOf(value))) return [`${path} is ${typeOf(value)}`];
  if (schema.const !== undefined && schema.const !== value) return [`${path} is ${String(value)}`];
  const { items, properties } = schema;
  if (Array.isArray(value)) return value.flatMap((item, at) => misfits(items ?? {}, item, `${path}/${at}`));
  if (properties === undefined || typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => {
    const known = properties[name];
    return known ? misfits(known, inner, `${path}/${name}`) : [`${path}/${name} is not described`];
  });
};

test('is OpenAPI 3.1 of this operator, where the issuer is', () => {
  expect(document.openapi).toBe('3.1.0');
  expect(document.info).toMatchObject({ title: 'm2m-oauth-operator', version: '1.2.3' });
  expect(document.servers).toEqual([{ url: new URL(ISSUER_URL).origin }]);
});

test('has every route and no other, each with a summary', () => {
  const issuer = {} as never;
  const routes = routesOf({ issuerUrl: ISSUER_URL, issuer, keys: new TestKeys(), version: '' });
  const described = Object.entries<Record<string, Operation>>(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { summary }]) => {
      expect(summary).not.toBe('');
      return `${method.toUpperCase()} ${path}`;
    }),
  );
  expect(described.sort()).toEqual(routes.map(({ method, path }) => `${method} ${path}`).sort());
});

const operationOf = (method: string, path: string): Operation => document.paths[path][method.toLowerCase()];

const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const EXCHANGES: readonly (readonly [method: string, path: string, RequestInit])[] = [
  ['POST', `${BASE}/oauth/token`, { headers: FORM, body: 'grant_type=client_credentials' }],
  ['POST', `${BASE}/oauth/introspect`, { headers: FORM, body: 'token=x' }],
  ['POST', `${BASE}/oauth/revoke`, { headers: FORM, body: 'token=x' }],
  ['POST', `${BASE}/api/v1/tokens`, { body: '{"grantType":"client_credentials"}' }],
  ['GET', `${BASE}/api/v1/tokens`, {}],
  ['GET', `${BASE}/api/v1/tokens`, { headers: { accept: 'application/protojson' } }],
  ['DELETE', `${BASE}/api/v1/tokens`, {}],
  ['POST', `${BASE}/oauth/token`, { headers: FORM, body: '' }],
  ['POST', `${BASE}/oauth/token`, { body: 'x' }],
  ['POST', `${BASE}/api/v1/tokens`, { body: '[]' }],
  ['POST', `${BASE}/api/v1/tokens`, { headers: FORM, body: 'x' }],
  ['DELETE', `${BASE}/api/v1/tokens?all=1`, {}],
];

describe('an answer conforms to the document', () => {
  test.each(EXCHANGES)('%s %s %j', async (method, path, init) => {
    const response = await fetch(new URL(path, env.url), { method, ...init });
    const { responses } = operationOf(method, path.split('?', 1)[0] ?? '');
    const described = responses[response.status] ?? responses.default;
    const text = await response.text();
    if (described?.content === undefined) {
      expect([described?.description !== undefined, text]).toEqual([true, '']);
      return;
    }
    const { schema = {} } = described.content['application/json'] ?? {};
    expect(Object.keys(schema.properties ?? {})).not.toEqual([]);
    expect(misfits(schema, JSON.parse(text))).toEqual([]);
  });
});

test('a route that needs a bearer declares it', () => {
  const secured = (method: string): unknown => operationOf(method, `${BASE}/api/v1/tokens`).security;
  expect([secured('GET'), secured('DELETE'), secured('POST')]).toEqual([
    [{ bearer: [] }],
    [{ bearer: [] }],
    undefined,
  ]);
  expect(document.components.securitySchemes.bearer).toMatchObject({ type: 'http', scheme: 'bearer' });
});

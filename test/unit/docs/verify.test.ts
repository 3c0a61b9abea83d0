import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { parseDocument } from 'yaml';
import { SigningKeySpecSchema } from '../../../operator/api/signing-key.ts';
import { configSchema } from '../../../operator/config/schema.ts';
import { codeBlock, codeBlocks } from '../../clients/page.ts';

/** docs/verify.md: what it says of programs that no test runs, as far as that can be known without them. */

const page = readFileSync(join(import.meta.dirname, '../../../docs/verify.md'), 'utf8');
const issuer = configSchema(undefined).shape.issuer.parse({});
const JWKS = `${issuer.url}/.well-known/jwks.json`;

/** The YAML of the blocks that follow the mark. @throws Error at the first that is none */
const yamlOf = (mark: string): unknown[] =>
  codeBlocks(page, mark, 'yaml').map((block) => {
    const document = parseDocument(block, { strict: true, uniqueKeys: true });
    if (document.errors[0]) throw document.errors[0];
    return document.toJS();
  });

test('every marked block is known to a test, which runs it or parses it', () => {
  const marks = [...page.matchAll(/^<!-- (verify[-\w]*): (.*) by the test suite -->\n```(\w+)$/gmu)];
  expect(marks.map(([, mark, how, language]) => `${mark} ${language} ${how}`).sort()).toEqual([
    'verify sh run',
    'verify sh run',
    'verify sh run',
    'verify sh run',
    'verify-envoy yaml parsed',
    'verify-go go run',
    'verify-kubernetes yaml run',
    'verify-nginx js run',
    'verify-nginx nginx run',
    'verify-node js run',
    'verify-spring yaml parsed',
    'verify-spring yaml parsed',
  ]);
  expect(marks).toHaveLength(page.split('<!-- ').length - 1);
});

test('Spring is configured with endpoints that the issuer has', () => {
  const resourceServer = (entry: object) => ({
    spring: { security: { oauth2: { resourceserver: entry } } },
  });
  expect(yamlOf('verify-spring')).toEqual([
    resourceServer({
      opaquetoken: {
        'introspection-uri': `${issuer.url}/oauth/introspect`,
        'client-id': 'orders-api',
        'client-secret': `\${CLIENT_SECRET}`,
      },
    }),
    resourceServer({ jwt: { 'issuer-uri': issuer.url, audiences: 'https://api.example.com' } }),
  ]);
});

test('Envoy is configured with the issuer, its keys, and a cluster to fetch them from', () => {
  expect(yamlOf('verify-envoy')).toMatchObject([
    {
      http_filters: [
        {
          typed_config: {
            providers: {
              m2m: {
                issuer: issuer.url,
                audiences: ['https://api.example.com'],
                remote_jwks: { http_uri: { uri: JWKS, cluster: 'm2m_issuer' } },
              },
            },
            rules: [{ requires: { provider_name: 'm2m' } }],
          },
        },
        { name: 'envoy.filters.http.router' },
      ],
      clusters: [{ name: 'm2m_issuer', load_assignment: { cluster_name: 'm2m_issuer' } }],
    },
  ]);
});

test('the page names the default algorithm and type', () => {
  const { algorithm } = SigningKeySpecSchema.parse({});
  const node = codeBlock(page, 'verify-node', 'js');
  expect(node).toContain(`algorithms: ['${algorithm}']`);
  expect(node).toContain(`typ: '${issuer.tokenType}'`);
  expect(page).toContain(`(\`${algorithm}\` unless the SigningKey says otherwise)`);
});

test('every URL of the issuer on the page is below issuer.url', () => {
  const urls = page.match(/https:\/\/localhost[^\s`"]*/gu) ?? [];
  expect(urls.filter((url) => !url.startsWith(issuer.url))).toEqual([]);
});

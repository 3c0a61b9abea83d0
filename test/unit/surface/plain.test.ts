import { expect, test } from '@jest/globals';
import { withoutTexts } from '../../surface/plain.ts';

test('human-readable text is removed at every depth, and keys are sorted', () => {
  const rules = [{ rule: 'self.a == self.b', message: 'must be equal', messageExpression: "'no'" }];
  const schema = { type: 'object', description: 'What it is', 'x-kubernetes-validations': rules };
  expect(JSON.stringify(withoutTexts(schema))).toBe(
    '{"type":"object","x-kubernetes-validations":[{"rule":"self.a == self.b"}]}',
  );
});

test('properties that are named like a text stay', () => {
  const properties = { message: { type: 'string', maxLength: 10 }, description: { type: 'string' } };
  expect(withoutTexts({ required: ['message'], properties })).toEqual({ required: ['message'], properties });
});

test('derived annotations are removed, and no others', () => {
  const annotations = {
    'm2moauth.dev/crd-revision': '3',
    'checksum/config': '0f',
    'm2moauth.dev/renew': 'now',
  };
  expect(withoutTexts({ annotations })).toEqual({ annotations: { 'm2moauth.dev/renew': 'now' } });
});

test('strings that are documents are parsed', () => {
  const read = (key: string, text: string): unknown => (key.endsWith('.json') ? JSON.parse(text) : undefined);
  const data = { 'panel.json': '{"title": "Tokens", "id": 1}', 'script.mjs': '{"title": "Tokens"}' };
  expect(withoutTexts({ data }, read)).toEqual({
    data: { 'panel.json': { id: 1 }, 'script.mjs': '{"title": "Tokens"}' },
  });
});

test('comments of scripts are removed, and no addresses', () => {
  const script = "// What it does.\nfetch('https://a'); // kept\n";
  expect(withoutTexts({ args: [script] })).toEqual({ args: ["fetch('https://a'); // kept\n"] });
});

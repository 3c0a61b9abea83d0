import { describe, expect, test } from '@jest/globals';
import { NamespaceAccess } from '../../../operator/runtime/namespace-access.ts';
import { recordedLog } from '../../support/quiet.ts';

const build = (existing: string[]) => {
  const log = recordedLog();
  const exists = (namespace: string) => existing.includes(namespace);
  return { log, access: new NamespaceAccess({ namespaces: ['a', 'b'], exists, log }) };
};

describe('access to watched namespaces', () => {
  test('is warned of once for each namespace, whatever number of types is denied', () => {
    const { access, log } = build(['a']);
    for (const resource of ['tokens', 'secrets']) access.of('b', resource)?.denied();
    expect(log.lines).toEqual([
      {
        level: 'warn',
        message: 'a watched namespace can not be watched; the others are served',
        fields: { namespace: 'b', resource: 'tokens', why: expect.stringContaining('it does not exist') },
      },
    ]);
    expect(access.counts()).toEqual({ a: 0, b: 1 });
  });

  test('says that roles are missing where the namespace exists', () => {
    const { access, log } = build(['a', 'b']);
    access.of('b', 'tokens')?.denied();
    expect(log.lines[0]?.fields.why).toMatch(/^the roles of the operator are not bound there/u);
    expect(access.isGone('b')).toBe(false);
  });

  test('is back when every type is permitted again', () => {
    const { access, log } = build([]);
    for (const resource of ['tokens', 'secrets']) access.of('b', resource)?.denied();
    access.of('b', 'tokens')?.permitted();
    expect([access.counts().b, access.isGone('b')]).toEqual([1, true]);
    access.of('b', 'secrets')?.permitted();
    expect([access.counts().b, access.isGone('b')]).toEqual([0, false]);
    expect(log.lines.map(({ level }) => level)).toEqual(['warn', 'info']);
  });

  test('is not asked about where a namespace is required', () => {
    const { access } = build([]);
    expect(access.of('system', 'secrets')).toBeUndefined();
    expect(access.isGone('system')).toBe(false);
  });
});

import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { testApi } from '../../support/api.ts';
import { applyFiles } from '../../support/apply.ts';

const api = testApi();
afterAll(api.close);

describe('applyFiles', () => {
  let dir: string;
  beforeEach(async () => {
    dir = await mkdtemp(join(tmpdir(), 'apply-test-'));
  });
  afterEach(() => rm(dir, { recursive: true }));

  test('applies every document of every file, into the given namespace where it names none', async () => {
    const namespace = await api.createNamespace();
    const configMap = (name: string) => ({
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name },
      data: { k: 'v' },
    });
    await writeFile(
      join(dir, 'b.yaml'),
      `# a comment\n---\n${JSON.stringify(configMap('one'))}\n---\n${JSON.stringify(configMap('two'))}\n---\n`,
    );
    await writeFile(join(dir, 'a.yml'), JSON.stringify(configMap('three')));
    await writeFile(join(dir, 'ignored.txt'), 'no object');

    const applied = await applyFiles(api, [dir], { namespace, fieldManager: 'sample' });

    expect(applied.map(({ metadata }) => metadata.name)).toEqual(['three', 'one', 'two']);
    for (const { metadata } of applied) {
      expect(metadata).toMatchObject({
        namespace,
        managedFields: [{ manager: 'sample', operation: 'Apply' }],
      });
    }
  });

  test('waits for a definition, so that objects of the new kind can follow', async () => {
    const group = 'apply-test.m2moauth.dev';
    const definition = {
      apiVersion: 'apiextensions.k8s.io/v1',
      kind: 'CustomResourceDefinition',
      metadata: { name: `gadgets.${group}` },
      spec: {
        group,
        scope: 'Namespaced',
        names: { kind: 'Gadget', plural: 'gadgets' },
        versions: [
          { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } },
        ],
      },
    };
    await writeFile(join(dir, 'crd.yaml'), JSON.stringify(definition));

    try {
      await applyFiles(api, [join(dir, 'crd.yaml')]);

      expect((await api.request('GET', `/apis/${group}/v1/gadgets`)).status).toBe(200);
    } finally {
      await api.delete(definition);
    }
  });

  test('says what the API server has against an object', async () => {
    const bad = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'Not_A_Name' } };
    await writeFile(join(dir, 'bad.yaml'), JSON.stringify(bad));

    await expect(applyFiles(api, [dir])).rejects.toThrow(/422: .*Not_A_Name/);
  });
});

import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { bodyOf, type KubeObject, type Ref, type TestApi } from './api.ts';
import { eventually } from './eventually.ts';

/** How to apply: the owner of the fields, and the namespace of objects that name none. */
export interface ApplyOptions {
  readonly fieldManager?: string;
  readonly namespace?: string;
}

/**
 * What `kubectl apply --server-side -f` does, for files and folders (their *.yaml, not their subfolders): applies
 * every document in order and, after CustomResourceDefinitions, waits until their kinds are served.
 * @returns the objects as the API server stored them.
 * @throws Error with the API server's words at the first one that it rejects.
 */
export async function applyFiles(
  api: TestApi,
  files: readonly string[],
  options: ApplyOptions = {},
): Promise<KubeObject[]> {
  return applyObjects(api, await readObjects(files), options);
}

/** `applyFiles` for objects at hand. */
export async function applyObjects(
  api: TestApi,
  objects: readonly Ref[],
  { fieldManager = 'test', namespace = 'default' }: ApplyOptions = {},
): Promise<KubeObject[]> {
  const applied: KubeObject[] = [];
  for (const object of objects) {
    const placed = { ...object, metadata: { namespace, ...object.metadata } };
    const stored = bodyOf(await api.apply(placed, { query: { fieldManager, force: true } }));
    if (stored.kind === 'CustomResourceDefinition') await waitUntilServed(api, stored);
    applied.push(stored);
  }
  return applied;
}

/** The documents of YAML files and of the YAML files right in folders, in the order of their names. */
export async function readObjects(paths: readonly string[]): Promise<Ref[]> {
  const objects: Ref[] = [];
  for (const path of paths) {
    for (const file of (await stat(path)).isDirectory() ? await yamlFilesIn(path) : [path]) {
      objects.push(...parseObjects(await readFile(file, 'utf8'), file));
    }
  }
  return objects;
}

/** @throws Error that names `file` where a document is no YAML. */
function parseObjects(text: string, file: string): Ref[] {
  const documents = parseAllDocuments(text);
  if ('empty' in documents) return [];
  return documents.flatMap((document) => {
    if (document.errors[0]) throw new Error(`${file}: ${document.errors[0].message}`);
    const object = document.toJS() as Ref | null;
    return object ? [object] : [];
  });
}

async function yamlFilesIn(dir: string): Promise<string[]> {
  const names = await readdir(dir);
  return names
    .filter((name) => /\.ya?ml$/.test(name))
    .sort()
    .map((name) => join(dir, name));
}

/** Established comes before the storage of the new kind is up: until then the API server answers 404 or 429. */
async function waitUntilServed(api: TestApi, definition: KubeObject): Promise<void> {
  const { group, names, versions } = definition.spec;
  const served: { name: string }[] = versions.filter((version: { served: boolean }) => version.served);
  await eventually(async () => {
    const { status } = bodyOf(await api.get(definition));
    const conditions: { type: string; status: string }[] = status?.conditions ?? [];
    return conditions.some(({ type, status }) => type === 'Established' && status === 'True');
  });
  for (const { name } of served) {
    const path = `/apis/${group}/${name}/${names.plural}?limit=1`;
    await eventually(async () => bodyOf(await api.request('GET', path)));
  }
}

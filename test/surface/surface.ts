import { globSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { z } from 'zod';
import { outputOf } from '../support/command.ts';

/** What users see of a revision, by name: parsed documents. */
export type Surface = Map<string, unknown>;

const BUF = join(import.meta.dirname, '../../node_modules/@bufbuild/buf/bin/buf');
const ISSUER_URL = 'https://issuer.example/base';

/** Imports a module of a revision by the end of its path, since its folder may have moved. */
const load = async <Module>(root: string, path: string): Promise<Module> => {
  const found = globSync(`operator/**/${path}`, { cwd: root });
  if (found.length !== 1) throw new Error(`${root} has ${found.length} files operator/**/${path}, not one`);
  return import(join(root, found[0] as string));
};

/** The objects in a YAML text, each named by kind and name. */
const objects = (title: string, text: string): [string, unknown][] =>
  parseAllDocuments(text).flatMap((document) => {
    const object = document.toJS();
    return object ? [[`${title}/${object.kind}-${object.metadata.name}`, object]] : [];
  });

const manifests = (root: string, folder: string): [string, unknown][] =>
  globSync(`${folder}/*.yaml`, { cwd: root }).flatMap((path) =>
    objects(folder, readFileSync(join(root, path), 'utf8')),
  );

const chartFiles = (root: string): [string, unknown][] =>
  globSync('charts/*/{values.yaml,values.schema.json}', { cwd: root }).map((path) => [
    `charts/${basename(path)}`,
    parse(readFileSync(join(root, path), 'utf8')),
  ]);

/** The shortest valid configuration: everything else is a default. */
const SHORTEST = '{grpc: {tls: {plaintext: true}}, http: {tls: {plaintext: true}}}';

/** The schema of the configuration, and its defaults. */
const configuration = async (root: string): Promise<[string, unknown][]> => {
  const { configSchema } = await load<typeof import('../../operator/config/schema.ts')>(
    root,
    'config/schema.ts',
  );
  const { parseConfig } = await load<typeof import('../../operator/config/load.ts')>(root, 'config/load.ts');
  return [
    ['config/schema', z.toJSONSchema(configSchema(undefined), { io: 'input', unrepresentable: 'any' })],
    ['config/defaults', parseConfig(SHORTEST, 'the shortest')],
  ];
};

/** The files of proto/ as descriptors, without comments and positions. */
const protobuf = async (root: string): Promise<[string, unknown][]> => {
  const args = ['build', 'proto', '--exclude-source-info', '--output', '-#format=json'];
  return [['proto/descriptors', JSON.parse(await outputOf(process.execPath, [BUF, ...args], { cwd: root }))]];
};

/** Every path and method, with what the OpenAPI document says of it. No handler runs, so that no issuer is needed. */
const httpRoutes = async (root: string): Promise<[string, unknown][]> => {
  const { routesOf } = await load<typeof import('../../operator/servers/http/routes.ts')>(
    root,
    'http/routes.ts',
  );
  const parts = { issuer: {}, keys: { jwks: () => ({ keys: [] }), onChange: () => undefined } } as never;
  const routes = routesOf({ ...(parts as object), issuerUrl: ISSUER_URL, version: '' } as never);
  return routes.map(({ method, path, operation }) => [
    `http/${method}${path.replaceAll('/', '-')}`,
    operation,
  ]);
};

/** Name, type and labels of each metric. */
const metrics = async (root: string): Promise<[string, unknown][]> => {
  const { createMetrics } = await load<typeof import('../../operator/ops/metrics.ts')>(
    root,
    'ops/metrics.ts',
  );
  const { registry } = createMetrics({ processMetrics: false });
  const described = await registry.getMetricsAsJSON();
  const labels = new Map(
    registry
      .getMetricsAsArray()
      .map((metric) => [metric.name, (metric as { labelNames?: string[] }).labelNames]),
  );
  return [
    [
      'metrics',
      described
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map(({ name, type }) => ({ name, type, labels: labels.get(name) ?? [] })),
    ],
  ];
};

/** Reads everything of a checked-out revision except the rendered chart. `root` needs node_modules. */
export const readSurface = async (root: string): Promise<Surface> =>
  new Map([
    ...manifests(root, 'crds'),
    ...manifests(root, 'operator/deploy'),
    ...chartFiles(root),
    ...(await configuration(root)),
    ...(await protobuf(root)),
    ...(await httpRoutes(root)),
    ...(await metrics(root)),
  ]);

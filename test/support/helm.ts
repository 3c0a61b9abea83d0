import { join } from 'node:path';
import { parseAllDocuments } from 'yaml';
import { locateBinary } from '../cluster/binaries.ts';
import type { KubeObject } from './api.ts';
import { outputOf, run } from './command.ts';

/** The chart, by its folder. */
export const CHART = join(import.meta.dirname, '../../charts/m2m-oauth-operator');
/** What most people will call it. */
export const RELEASE = 'm2m-oauth-operator';

const QUIET = {
  HELM_CACHE_HOME: '/tmp/m2m-helm/cache',
  HELM_CONFIG_HOME: '/tmp/m2m-helm/config',
  HELM_DATA_HOME: '/tmp/m2m-helm/data',
};

/** What helm wrote to stdout. @throws Error with what it said where it rejects */
export const helm = async (...args: string[]): Promise<string> =>
  outputOf(await locateBinary('helm'), args, { env: QUIET });

/** What helm says where it has to reject. @throws Error where it does not */
export const rejectionOfHelm = async (...args: string[]): Promise<string> => {
  const { exitCode, stderr, stdout } = await run(await locateBinary('helm'), args, { env: QUIET });
  if (exitCode === 0) throw new Error(`helm ${args.join(' ')} was accepted`);
  return stdout + stderr;
};

/** Options of helm that set values, each given as JSON, so that its type is kept. */
export const valueFlags = (values: Readonly<Record<string, unknown>>): string[] =>
  Object.entries(values).flatMap(([path, value]) => ['--set-json', `${path}=${JSON.stringify(value)}`]);

/** Renders the chart as `helm template` does, hooks and all. */
export const renderChart = async (
  values: Readonly<Record<string, unknown>> = {},
  namespace = 'm2m-oauth-system',
  flags: readonly string[] = [],
): Promise<KubeObject[]> => {
  const options = ['--namespace', namespace, ...valueFlags(values), ...flags];
  const text = await helm('template', RELEASE, CHART, ...options);
  const documents = parseAllDocuments(text, { uniqueKeys: true });
  if ('empty' in documents) return [];
  return documents.flatMap((document) => {
    if (document.errors[0]) throw document.errors[0];
    const object = document.toJS() as KubeObject | null;
    return object ? [object] : [];
  });
};

import { CRD_REVISION_ANNOTATION } from '../api/crd-revision.ts';
import type { KubeObject } from '../api/meta.ts';
import { sleep } from '../async/sleep.ts';
import type { Clock } from '../ports/clock.ts';
import { isForbidden, isNotFound, type ResourceType } from '../ports/kube.ts';
import type { KubeClient } from './client.ts';

const AGAIN_AFTER_PROBLEM_MS = 5_000;
const AGAIN_MS = 60_000;
const METADATA = 'application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1';

export interface CrdRevisionsOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly types: readonly ResourceType[];
  /** The revision that this operator was built for. */
  readonly wanted: number;
}

/** Watches over the installed CRDs' revisions: a replica must not be ready while one is older than its own (spec §2). */
export interface CrdRevisions {
  /** What is wrong now; undefined where every CRD is new enough. Not known yet counts as wrong. */
  problem(): string | undefined;
  /** Looks now, and again until `signal` aborts: every 5 s while something is wrong, else every minute. */
  start(signal: AbortSignal): void;
}

/** Looks at the CRDs by name, metadata alone. A look that fails leaves the last result as it is. */
export const createCrdRevisions = (options: CrdRevisionsOptions): CrdRevisions => {
  const { client, clock, types, wanted } = options;
  let result: string | undefined = 'not looked at yet';

  const problemOf = async (type: ResourceType, signal: AbortSignal): Promise<string | undefined> => {
    const name = `${type.plural}.${type.group}`;
    try {
      const path = `/apis/apiextensions.k8s.io/v1/customresourcedefinitions/${name}`;
      const { metadata } = await client.request<KubeObject>({ verb: 'get', path, accept: METADATA, signal });
      const revision = Number(metadata.annotations?.[CRD_REVISION_ANNOTATION] ?? 0);
      if (revision >= wanted) return undefined;
      return `${name} is at revision ${revision}, older than ${wanted}: apply the crds/ of this release`;
    } catch (error) {
      if (isNotFound(error)) return `${name} is not installed: apply the crds/ of this release`;
      if (isForbidden(error)) return `${name} may not be read: apply the roles of this release`;
      throw error;
    }
  };

  const look = async (signal: AbortSignal): Promise<void> => {
    try {
      const problems = await Promise.all(types.map((type) => problemOf(type, signal)));
      result = problems.find((problem) => problem !== undefined);
    } catch {
      // The API server is out of reach: other checks say so.
    }
  };

  const poll = async (signal: AbortSignal): Promise<void> => {
    do await look(signal);
    while (await sleep(clock, result === undefined ? AGAIN_MS : AGAIN_AFTER_PROBLEM_MS, signal));
  };

  return { problem: () => result, start: (signal) => void poll(signal) };
};

import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { eventually } from '../support/eventually.ts';
import { type ClusterEnv, RELEASE } from './support/cluster-env.ts';
import { expect, inSystem, inTeam, TEAM, tokenManifest, upgradeWith } from './support/ground.ts';
import {
  leaderPod,
  operatorPods,
  waitForCallerLine,
  waitForWorkerProgress,
  workerFigures,
} from './support/observations.ts';
import type { Walk } from './support/steps.ts';

const tokenID = ({ kubectl }: ClusterEnv): Promise<string> =>
  kubectl(...inTeam('get', 'm2mtoken', 'caller', '--output', 'jsonpath={.status.id}'));

const scriptsManifest = async ({ kubectl }: ClusterEnv): Promise<string> => {
  const files = ['verifier', 'caller', 'grpc-caller'].map(
    (name) => `--from-file=${join(import.meta.dirname, 'scripts', `${name}.mjs`)}`,
  );
  return kubectl(
    ...inTeam('create', 'configmap', 'scripts', ...files, '--dry-run=client', '--output', 'yaml'),
  );
};

const authorityManifest = async ({ kubectl }: ClusterEnv): Promise<string> => {
  const encoded = await kubectl(
    ...inSystem('get', 'secret', `${RELEASE}-tls`, '--output', String.raw`jsonpath={.data.ca\.crt}`),
  );
  const authority = `--from-literal=ca.crt=${Buffer.from(encoded, 'base64').toString()}`;
  return kubectl(...inTeam('create', 'configmap', 'ca', authority, '--dry-run=client', '--output', 'yaml'));
};

/** A Pod mounts the token's Secret and calls another, which verifies; the token is renewed and revoked meanwhile. */
export const declared = async (walk: Walk, env: ClusterEnv): Promise<void> => {
  const { kubectl, apply } = env;
  await walk.step('kubectl apply: OAuthClients, a Token, a verifier and two workloads', async () => {
    await kubectl('create', 'namespace', TEAM);
    await apply(await scriptsManifest(env));
    await apply(await authorityManifest(env));
    await apply(await readFile(join(import.meta.dirname, 'manifests/apps.yaml'), 'utf8'));
    await kubectl(...inTeam('wait', '--for=condition=Ready', 'm2mtoken/caller', '--timeout=1m'));
    await kubectl(...inTeam('wait', '--for=condition=Ready', 'pod', '--all', '--timeout=2m'));
  });
  await walk.step(
    'the verifier accepts the mounted token: signature by JWKS, then introspection',
    async () => {
      const { jti, sub } = await waitForCallerLine(env, ({ status }) => status === 200);
      expect(jti === (await tokenID(env)), `another token than the declared one: ${jti}`);
      walk.note(`jti ${jti}, subject ${sub}`);
    },
  );
  await walk.step('a renewal reaches the mounted file, and the verifier accepts it', async () => {
    const before = await tokenID(env);
    await kubectl(...inTeam('annotate', 'm2mtoken', 'caller', 'm2moauth.dev/renew=1'));
    const { jti } = await waitForCallerLine(env, (line) => line.status === 200 && line.jti !== before);
    expect(jti === (await tokenID(env)), `another token than the renewed one: ${jti}`);
  });
};

/** A blacklisted token is rejected by the verifier, while its signature is valid. */
export const blacklisted = async (walk: Walk, env: ClusterEnv): Promise<void> => {
  const { kubectl } = env;
  await walk.step('a blacklisted token is rejected by the verifier', async () => {
    await kubectl(
      ...inTeam('patch', 'm2mtoken', 'caller', '--type=merge', '--patch={"spec":{"revoked":true}}'),
    );
    const startedAt = performance.now();
    const { reason } = await waitForCallerLine(env, ({ status }) => status === 401);
    expect(reason === 'not active', `rejected for another reason: ${reason}`);
    walk.note(`seen by the workload ${Math.round(performance.now() - startedAt)} ms after kubectl patch`);
  });
};

/** A workload gets tokens over gRPC for its ServiceAccount's token, without pause, whatever becomes of replicas. */
export const recordObjects = async (walk: Walk, env: ClusterEnv): Promise<void> => {
  const { kubectl } = env;
  await walk.step('a Pod with only a projected ServiceAccount token gets tokens over gRPC', async () => {
    const { sub } = await waitForWorkerProgress(env, 0);
    expect(sub === 'worker', `another subject: ${sub}`);
    const records = await kubectl(...inTeam('get', 'm2missued', '--output', 'name'));
    expect(records.includes('issuedtoken'), 'no record of an issued token');
  });
  await walk.step("the leader's Pod is deleted: another leads, and issues", async () => {
    const before = await leaderPod(env);
    await kubectl(...inSystem('delete', 'pod', String(before), '--wait=false'));
    const after = await eventually(
      async () => {
        const now = await leaderPod(env);
        return now !== undefined && now !== before && now;
      },
      { timeoutMs: 60_000, intervalMs: 200 },
    );
    await env.apply(tokenManifest('later'));
    await kubectl(...inTeam('wait', '--for=condition=Ready', 'm2mtoken/later', '--timeout=1m'));
    walk.note(`${before} → ${after}`);
    await kubectl(...inSystem('rollout', 'status', `deployment/${RELEASE}`, '--timeout=2m'));
  });
  await walk.step('a rolling upgrade under CreateToken load', async () => {
    const before = await workerFigures(env);
    const pods = await operatorPods(env);
    await upgradeWith(env, 'image.tag=next');
    await eventually(async () => !(await operatorPods(env)).some((pod) => pods.includes(pod)), {
      timeoutMs: 60_000,
    });
    await waitForWorkerProgress(env, (await workerFigures(env)).created);
    const after = await workerFigures(env);
    walk.note(
      `${after.created - before.created} tokens meanwhile, ${after.failed} calls failed since the start`,
    );
    expect(after.failed === 0, `calls failed: ${after.failures.slice(0, 5).join(', ')}`);
  });
};

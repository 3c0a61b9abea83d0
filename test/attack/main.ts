import { parseArgs } from 'node:util';
import { type BenchEnv, createBenchEnv } from '../bench/lib/bench-env.ts';
import { makeOwner, registerClient } from '../bench/lib/owner.ts';
import { residentBytesOf } from '../bench/lib/processes.ts';
import { note, QUICK } from '../bench/lib/scale.ts';
import { connectGrpc } from '../support/grpc.ts';
import type { Attack } from './attack.ts';
import { ATTACKS } from './attacks.ts';
import { GREEDY, LISTED_OWNER, type Target, VICTIM } from './lib/target.ts';
import { verdictsOf } from './measure/bounds.ts';
import { measureAttack } from './measure/measure.ts';
import {
  configWithoutMissing,
  type Replica,
  startReplica,
  type TlsFiles,
  writeTlsFiles,
} from './measure/replica.ts';
import { keep, type Row, toLegend, toTable } from './measure/report.ts';
import { buildRevision, buildThis, type Checkout } from './measure/revision.ts';
import { applyPriority, makeTenant } from './measure/tenants.ts';

/**
 * `make attack`: attacks on one real operator beside a real control plane, with an honest client, probes and the Lease watched meanwhile.
 * `ATTACK=a,b` runs those attacks alone, `ATTACK_SECONDS=n` says how long each is, `QUICK=1` is for CI: ten seconds each, and times
 * are printed and do not fail it. `npm run attack -- --base REVISION` attacks that revision too, for the same table.
 */

const SECONDS = Number(process.env.ATTACK_SECONDS ?? (QUICK ? 10 : 60));
const LISTED_RECORDS = 3000;
/** Memory that an attack may leave behind before the next one starts with a new process. */
const REUSED_BYTES = 60 * 1024 * 1024;

/** The attacks that `ATTACK` names, or all. @throws Error for a name that is none */
const chosen = (): readonly Attack[] => {
  const names = process.env.ATTACK?.split(',');
  const unknown = names?.find((name) => !ATTACKS.some((attack) => attack.name === name));
  if (unknown !== undefined) {
    throw new Error(`ATTACK knows ${ATTACKS.map(({ name }) => name).join(', ')}, not ${unknown}`);
  }
  return ATTACKS.filter(({ name }) => names?.includes(name) ?? true);
};

/** Makes the tenant, the clients, and the owner with the long list. @returns a token of that owner */
const prepare = async (env: BenchEnv, root: string): Promise<string> => {
  await applyPriority(env, root);
  await makeTenant(env);
  const operator = await env.operator();
  await operator.ready();
  const grpc = await connectGrpc(operator);
  const owner = await makeOwner(env, grpc, { name: LISTED_OWNER, recording: 'PerToken' });
  await owner.fill(LISTED_RECORDS);
  for (const name of [VICTIM, GREEDY])
    await registerClient(env, { name, owner: name, recording: 'PerToken' });
  grpc.close();
  await operator.stop();
  return owner.authorization.slice('Bearer '.length);
};

/** The replica for the next attack: the same as before, unless an attack has left its mark on it. */
const replicaAfter = async (before: Replica | undefined, start: () => Promise<Replica>): Promise<Replica> => {
  if (!before) return start();
  const bytes = before.ended.aborted ? 0 : await residentBytesOf(before.process.pid);
  if (!before.ended.aborted && bytes < before.bytesAtStart + REUSED_BYTES) return before;
  await before.stop();
  return start();
};

const attackAll = async (
  checkout: Checkout,
  { attacks, tls }: { readonly attacks: readonly Attack[]; readonly tls: TlsFiles['config'] },
  onRow: (row: Row) => Promise<void>,
): Promise<void> => {
  note(`starting a control plane for ${checkout.name}`);
  const env = await createBenchEnv({
    root: checkout.root,
    config: await configWithoutMissing(checkout.root),
  });
  const options = { root: checkout.root, tls };
  let replica: Replica | undefined;
  try {
    const listedJwt = await prepare(env, checkout.root);
    for (const attack of attacks) {
      replica = await replicaAfter(replica, () => startReplica(env, options));
      const target: Target = {
        ports: replica.ports,
        listedJwt,
        kubeconfigPath: env.cluster.kubeconfigPath,
      };
      note(`${attack.name} on ${checkout.name}: ${attack.does}`);
      const scene = {
        env,
        replica,
        target,
        seconds: SECONDS,
        startAnother: () => startReplica(env, { ...options, leads: false }),
      };
      const row = await measureAttack(attack, scene).then(
        (found) => ({ attack, on: checkout.name, found }),
        (error) =>
          note(`${attack.name} on ${checkout.name}: ${error instanceof Error ? error.stack : error}`),
      );
      if (row) await onRow(row);
    }
  } finally {
    await replica?.stop();
    await env.close();
  }
};

const hasFailed = ({ attack, found }: Row): boolean =>
  verdictsOf(attack, found).some(({ holds, isAsserted }) => isAsserted && !holds);

const main = async (): Promise<void> => {
  const { values } = parseArgs({ options: { base: { type: 'string' } } });
  const attacks = chosen();
  const rows: Row[] = [];
  const onRow = async (row: Row): Promise<void> => {
    rows.push(row);
    rows.sort((a, b) => ATTACKS.indexOf(a.attack) - ATTACKS.indexOf(b.attack));
    note(toTable([row]).split('\n').at(-1) ?? '');
    await keep(rows, attacks);
  };
  const checkouts: Checkout[] = [];
  const tls = await writeTlsFiles();
  try {
    if (values.base !== undefined) checkouts.push(await buildRevision(values.base));
    const now = await buildThis();
    for (const checkout of [...checkouts, now])
      await attackAll(checkout, { attacks, tls: tls.config }, onRow);
    console.log(`\n${toTable(rows)}\n\n${toLegend(attacks)}\n`);
    const held = rows.filter((row) => row.on === now.name && !hasFailed(row)).map(({ attack }) => attack);
    const failed = attacks.filter((attack) => !held.includes(attack));
    if (failed.length > 0 || rows.length < attacks.length * (checkouts.length + 1)) {
      console.error(`FAILED, or not measured: ${failed.map(({ name }) => name).join(', ')}`);
      process.exitCode = 1;
    }
  } finally {
    for (const checkout of checkouts) await checkout.remove();
    await tls.remove();
  }
};

// Whatever was started ends with this process, by its hooks at exit.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
await main();

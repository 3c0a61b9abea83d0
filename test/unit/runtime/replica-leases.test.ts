import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { FakeClock, settle } from '../../support/fake-clock.ts';
import { LeaseServer, OWNER, startReplica, type TestReplica } from './replica-leases-env.ts';

let clock: FakeClock;
let server: LeaseServer;
let replicas: TestReplica[];

const start = async (name = `replica-${replicas.length}`): Promise<TestReplica> => {
  const replica = startReplica(server, clock, name);
  replicas.push(replica);
  await settle();
  return replica;
};
const shares = (): number[] => replicas.map(({ leases }) => leases.share());

const SETTLED_MS = 10_000;

beforeEach(() => {
  clock = new FakeClock();
  server = new LeaseServer();
  replicas = [];
});
afterEach(async () => {
  await Promise.all(replicas.map(({ leases }) => leases.stop()));
});

describe('the share', () => {
  test('of the only replica is all of it, at once', async () => {
    await start();
    expect(shares()).toEqual([1]);
  });

  test('of one that joins is small until the others count it, and an equal one within 10 s', async () => {
    await start();
    await start();
    expect(shares()).toEqual([1, 0.05]);
    await clock.advance(2_000);
    expect(shares()).toEqual([0.5, 0.05]);
    await clock.advance(SETTLED_MS - 2_000);
    expect(shares()).toEqual([0.5, 0.5]);
  });

  test('of one that stops goes to the others', async () => {
    await start();
    const second = await start();
    await clock.advance(SETTLED_MS);
    await second.leases.stop();
    await clock.advance(2_000);
    expect(replicas[0]?.leases.share()).toBe(1);
    expect(server.leases.size).toBe(1);
  });

  test('of one that crashed goes to the others after 10 s', async () => {
    await start();
    const second = await start();
    await clock.advance(SETTLED_MS);
    second.fault = 'all';
    await clock.advance(9_000);
    expect(replicas[0]?.leases.share()).toBe(0.5);
    await clock.advance(3_000);
    expect(replicas[0]?.leases.share()).toBe(1);
  });

  test('of one whose calls fail is small once the others no longer count it, and an equal one when they do', async () => {
    await start();
    const second = await start();
    await clock.advance(SETTLED_MS);
    second.fault = 'all';
    await clock.advance(11_000);
    expect(second.leases.share()).toBe(0.05);
    second.fault = 'none';
    await clock.advance(SETTLED_MS);
    expect(shares()).toEqual([0.5, 0.5]);
  });

  test('of one whose renewal comes late is small until the others count it again', async () => {
    const late = await start();
    await start();
    await clock.advance(SETTLED_MS);
    late.fault = 'all';
    await clock.advance(7_000);
    Object.assign(late, { fault: 'none', delayMs: 3_500 });
    for (let passed = 0; passed < 10_000; passed += 100) {
      await clock.advance(100);
      expect(shares().reduce((sum, share) => sum + share)).toBeLessThan(1.2);
    }
    late.delayMs = 0;
    await clock.advance(2 * SETTLED_MS);
    expect(shares()).toEqual([0.5, 0.5]);
  });

  test('of one that can not list the others is not renewed: it would pass for one that counts those who join', async () => {
    const first = await start();
    await clock.advance(SETTLED_MS);
    first.fault = 'lists';
    const second = await start();
    await clock.advance(8_000);
    expect(second.leases.share()).toBe(0.05);
    await clock.advance(SETTLED_MS);
    expect(shares()).toEqual([0.1, 1]);
  });

  test('of one that never reaches the API server is small', async () => {
    const only = startReplica(server, clock, 'only');
    only.fault = 'all';
    replicas.push(only);
    await clock.advance(60_000);
    expect(shares()).toEqual([0.1]);
  });
});

test('a Lease that another writer deleted is written again, and its replica joins again', async () => {
  await start();
  const second = await start();
  await clock.advance(SETTLED_MS);
  server.leases.delete(second.name);
  await clock.advance(2_000);
  expect(second.leases.share()).toBeLessThanOrEqual(0.1);
  await clock.advance(SETTLED_MS);
  expect(shares()).toEqual([0.5, 0.5]);
});

test('a Lease of which the create had no answer is found', async () => {
  server.create({
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: { namespace: 'n', name: 'one' },
  });
  await start('one');
  await clock.advance(4_000);
  expect(shares()).toEqual([1]);
});

test('nothing is written while no limit is set, and the Lease is deleted when the last one goes', async () => {
  const idle = startReplica(server, clock, 'idle');
  idle.isNeeded = false;
  replicas.push(idle);
  await clock.advance(60_000);
  // The first cycle ran before the flag was set: what it wrote is gone.
  expect(server.leases.size).toBe(0);
  const { writes } = server;
  await clock.advance(60_000);
  expect(server.writes).toBe(writes);
  idle.isNeeded = true;
  idle.leases.wake();
  await settle();
  expect(server.leases.size).toBe(1);
  idle.isNeeded = false;
  await clock.advance(2_000);
  expect(server.leases.size).toBe(0);
});

test('a Lease belongs to its Pod, also after it was renewed', async () => {
  const only = await start();
  await clock.advance(4_000);
  expect(server.writes).toBeGreaterThan(1);
  expect(server.get(only.name).metadata.ownerReferences).toEqual([OWNER]);
});

test('no Lease is created before a list succeeds, since without the right to list none would be deleted', async () => {
  const only = startReplica(server, clock, 'only', { fault: 'lists' });
  replicas.push(only);
  await clock.advance(599_000);
  expect(server.writes).toBe(0);
  expect(shares()).toEqual([0.1]);
  const minutes = 10;
  expect(only.log.lines.length).toBeGreaterThan(0);
  expect(only.log.lines.length).toBeLessThanOrEqual(minutes);
  only.fault = 'none';
  await clock.advance(2_000);
  expect(shares()).toEqual([1]);
});

test('a Lease whose delete fails is deleted in a later period', async () => {
  const only = await start();
  Object.assign(only, { fault: 'all', isNeeded: false });
  await clock.advance(6_000);
  expect(server.leases.size).toBe(1);
  expect(only.leases.share()).toBe(0.1);
  only.fault = 'none';
  await clock.advance(2_000);
  expect(server.leases.size).toBe(0);
  expect(only.leases.isSettled).toBe(true);
});

test('a Lease that may not be deleted is left, without another try', async () => {
  const only = await start();
  Object.assign(only, { fault: 'forbidden', isNeeded: false });
  await clock.advance(60_000);
  expect(only.log.lines.filter(({ fields }) => fields.action === 'delete')).toHaveLength(1);
  only.fault = 'none';
  await clock.advance(4_000);
  expect(server.leases.size).toBe(1);
});

test('a Lease that was renewed without an answer is deleted by the replica that stops', async () => {
  const only = await start();
  const { metadata, ...rest } = server.get(only.name);
  server.update({ ...rest, metadata });
  await only.leases.stop();
  expect(server.leases.size).toBe(0);
});

test('one Lease a period is written by each replica', async () => {
  await start();
  await start();
  await clock.advance(SETTLED_MS);
  const { writes } = server;
  await clock.advance(20_000);
  expect(server.writes - writes).toBe(20);
});

test('the leader deletes the Leases of replicas that crashed, and no other does', async () => {
  const first = await start();
  const second = await start();
  second.fault = 'all';
  await clock.advance(60_000);
  expect(server.leases.size).toBe(2);
  first.isLeading = true;
  await clock.advance(2_000);
  expect([...server.leases.keys()]).toEqual([first.name]);
});

test('reports of live replicas reach every one, and those of a crashed one do not stay', async () => {
  const first = await start();
  const second = await start();
  first.report = 'a';
  second.report = 'b';
  await clock.advance(4_000);
  expect([...first.reports].sort()).toEqual(['a', 'b']);
  second.fault = 'all';
  await clock.advance(14_000);
  expect(first.reports).toEqual(['a']);
});

test('no report stays when the last limit goes, whether or not the Lease was lost before', async () => {
  const only = await start();
  only.report = 'a';
  await clock.advance(4_000);
  expect(only.reports).toEqual(['a']);
  server.leases.delete(only.name);
  await clock.advance(2_000);
  expect(only.reports).toEqual(['a']);
  only.isNeeded = false;
  await clock.advance(2_000);
  expect(only.reports).toEqual([]);
});

type Step =
  | { readonly kind: 'join' }
  | { readonly kind: 'leave' | 'crash' | 'cut' | 'slow' | 'restore'; readonly which: number }
  | { readonly kind: 'wait'; readonly ms: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('join' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constantFrom(
        'leave' as const,
        'crash' as const,
        'cut' as const,
        'slow' as const,
        'restore' as const,
      ),
      which: fc.nat(7),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.integer({ min: 1, max: 7_000 }) }),
  },
);

test('whatever replicas join, leave, crash or are cut off, those that can write exceed the limit by less than 20 %', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const world = new LeaseServer();
      const time = new FakeClock();
      const all: TestReplica[] = [];
      const crashed = new Set<TestReplica>();
      const running = (): TestReplica[] => all.filter((each) => each.fault === 'none');
      const expectBound = (): void => {
        const sum = running().reduce((total, { leases }) => total + leases.share(), 0);
        expect(sum).toBeLessThan(1.2);
      };
      const run = async (each: Step): Promise<void> => {
        if (each.kind === 'join') {
          if (all.length < 8) all.push(startReplica(world, time, `r${all.length}`));
          return settle();
        }
        if (each.kind === 'wait') {
          for (let left = each.ms; left > 0; left -= 500) {
            await time.advance(Math.min(500, left));
            expectBound();
          }
          return;
        }
        const one = all[each.which];
        if (one === undefined || crashed.has(one)) return;
        if (each.kind === 'leave') {
          one.fault = 'none';
          await one.leases.stop();
          one.fault = 'all';
          crashed.add(one);
        } else {
          one.delayMs = each.kind === 'slow' ? 3_500 : 0;
          one.fault = each.kind === 'restore' || each.kind === 'slow' ? 'none' : 'all';
          if (each.kind === 'crash') crashed.add(one);
        }
      };
      for (const each of steps) {
        await run(each);
        expectBound();
      }
      for (const one of running()) one.delayMs = 0;
      await time.advance(60_000);
      expect(running().map(({ leases }) => leases.share())).toEqual(
        running().map(() => 1 / running().length),
      );
      await Promise.all(all.map(({ leases }) => leases.stop()));
    }),
    { numRuns: 200 },
  );
});

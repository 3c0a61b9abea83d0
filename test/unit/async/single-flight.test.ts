import { expect, test } from '@jest/globals';
import { SingleFlight } from '../../../operator/async/single-flight.ts';

test('callers share the run that is under way, by key', async () => {
  const flights = new SingleFlight<string, string>();
  let runs = 0;
  const { promise, resolve } = Promise.withResolvers<string>();
  const work = () => {
    runs += 1;
    return promise;
  };
  const both = [flights.run('a', work), flights.run('a', work)];
  const other = flights.run('b', async () => 'b');
  expect([runs, flights.has('a'), flights.has('c')]).toEqual([1, true, false]);
  resolve('a');
  expect(await Promise.all([...both, other])).toEqual(['a', 'a', 'b']);
});

test('a run that has ended is not shared: by the time that its callers know, the next one starts anew', async () => {
  const flights = new SingleFlight<string, number>();
  expect(await flights.run('a', async () => 1)).toBe(1);
  expect(flights.has('a')).toBe(false);
  expect(await flights.run('a', async () => 2)).toBe(2);
});

test('a failure goes to all callers that share it, and to none after', async () => {
  const flights = new SingleFlight<string, number>();
  const failing = () => Promise.reject(new Error('no'));
  const both = await Promise.allSettled([flights.run('a', failing), flights.run('a', async () => 1)]);
  expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await flights.run('a', async () => 2)).toBe(2);
});

test('work that throws at once leaves nothing behind', async () => {
  const flights = new SingleFlight<string, number>();
  expect(() =>
    flights.run('a', () => {
      throw new Error('no');
    }),
  ).toThrow('no');
  expect(await flights.run('a', async () => 2)).toBe(2);
});

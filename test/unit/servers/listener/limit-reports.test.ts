import { expect, test } from '@jest/globals';
import { createLimitReports } from '../../../../operator/servers/listener/limit-reports.ts';
import { FakeClock } from '../../../support/fake-clock.ts';
import { recordedLog, recordedMetrics } from '../../../support/quiet.ts';

test('each event is counted, and a flood of them is logged once in ten seconds', async () => {
  const [clock, log, metrics] = [new FakeClock(), recordedLog(), recordedMetrics()];
  const report = createLimitReports({ clock, log, metrics });
  for (let at = 0; at < 100; at += 1) report('grpc', 'healthWatches', 'refused');
  report('grpc', 'reflections', 'refused');
  await clock.advance(10_000);
  report('grpc', 'healthWatches', 'refused');
  expect(metrics.calls).toHaveLength(102);
  expect(metrics.calls[0]).toEqual(['limited', 'grpc', 'healthWatches', 'refused']);
  expect(log.lines.map(({ level, fields }) => [level, fields.limit, fields.count])).toEqual([
    ['warn', 'healthWatches', 1],
    ['warn', 'reflections', 1],
    ['warn', 'healthWatches', 100],
  ]);
});

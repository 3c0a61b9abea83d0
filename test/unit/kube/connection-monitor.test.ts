import { EventEmitter } from 'node:events';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { describe, expect, test } from '@jest/globals';
import { ConnectionMonitor } from '../../../operator/kube/connection-monitor.ts';
import { FakeClock } from '../../support/fake-clock.ts';

class Wire extends EventEmitter {
  bytesRead = 0;
  destroyed = false;
  readonly alpnProtocol: string;

  constructor(alpnProtocol: string) {
    super();
    this.alpnProtocol = alpnProtocol;
  }

  destroy(): void {
    this.destroyed = true;
    this.emit('close');
  }
}

const track = (monitor: ConnectionMonitor, protocol = 'h2'): Wire => {
  const wire = new Wire(protocol);
  monitor.track(wire as unknown as Socket | TLSSocket);
  return wire;
};

describe('contacts', () => {
  test('report when the connection that is silent for longest last answered, never too late a time', async () => {
    const clock = new FakeClock();
    const monitor = new ConnectionMonitor(clock);
    expect(monitor.lastAnswerAt).toBe(0);
    const start = clock.now();
    const wire = track(monitor);
    const other = track(monitor);
    await clock.advance(2_500);
    wire.bytesRead += 17;
    other.bytesRead += 17;
    await clock.advance(500);
    // It answered at 2.5 s; the look before was at 2 s.
    expect(monitor.lastAnswerAt - start).toBe(2_000);
    wire.bytesRead += 17;
    await clock.advance(3_000);
    expect(monitor.lastAnswerAt - start).toBe(2_000);
    other.emit('close');
    expect(monitor.lastAnswerAt - start).toBe(3_000);
  });

  test('cut an HTTP/2 connection that answers no ping', async () => {
    const clock = new FakeClock();
    const wire = track(new ConnectionMonitor(clock));
    await clock.advance(11_999);
    expect(wire.destroyed).toBe(false);
    await clock.advance(1);
    expect(wire.destroyed).toBe(true);
    expect(clock.pending).toBe(0);
  });

  test('remember that connections are pinged when none is left', async () => {
    const clock = new FakeClock();
    const monitor = new ConnectionMonitor(clock);
    expect(monitor.arePinged).toBe(false);
    track(monitor);
    await clock.advance(12_000);
    expect([monitor.lastAnswerAt, monitor.arePinged]).toEqual([0, true]);
    track(monitor, 'http/1.1');
    expect(monitor.arePinged).toBe(false);
    monitor.stop();
  });

  test('leave an HTTP/1.1 connection alone: nothing is asked of it between events', async () => {
    const clock = new FakeClock();
    const wire = track(new ConnectionMonitor(clock), 'http/1.1');
    await clock.advance(60_000);
    expect(wire.destroyed).toBe(false);
  });

  test('do not blame the connection for an event loop that hung', async () => {
    const clock = new FakeClock();
    const wire = track(new ConnectionMonitor(clock));
    clock.freeze(60_000);
    await clock.advance(1_000);
    expect(wire.destroyed).toBe(false);
  });
});

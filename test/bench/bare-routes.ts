import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { BareRoute } from './bare-route.ts';
import { type HttpAsk, type HttpClient, httpClient, ownHeaders } from './http-client.ts';

/** Bare fastify routes in a process of their own. */
export interface BareRoutes {
  readonly client: HttpClient;
  /** CPU time that they have used so far. */
  cpuSeconds(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts routes that answer as the door answered to these. */
export const startBareRoutes = async (door: HttpClient, samples: readonly HttpAsk[]): Promise<BareRoutes> => {
  const routes: BareRoute[] = [];
  for (const sample of samples) {
    const answer = await door.ask(sample);
    const path = sample.path.split('?')[0] ?? sample.path;
    routes.push({ method: sample.method, path, headers: ownHeaders(answer), body: answer.body });
  }
  const child = spawn(process.execPath, [join(import.meta.dirname, 'bare-route.ts')], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(JSON.stringify(routes));
  const [port] = await once(createInterface({ input: child.stdout }), 'line');
  const client = httpClient(Number(port));
  for (const [at, sample] of samples.entries()) {
    const { body } = await client.ask(sample);
    if (body !== routes[at]?.body) throw new Error(`the bare route ${sample.path} gives another answer`);
  }
  return {
    client,
    cpuSeconds: async () => {
      const { body } = await client.ask({ method: 'GET', path: '/cpu', headers: {} });
      const { user, system } = JSON.parse(body) as NodeJS.CpuUsage;
      return (user + system) / 1_000_000;
    },
    stop: async () => {
      await client.close();
      child.kill();
    },
  };
};

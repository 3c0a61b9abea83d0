import { type HttpClient, type HttpRequest, httpClient, ownHeaders } from '../lib/http-client.ts';
import type { BareRoute } from './bare-route.ts';
import { startBareServer } from './bare-server.ts';

/** Bare fastify routes in a separate process. */
export interface BareRoutes {
  readonly client: HttpClient;
  /** CPU time that they have used so far. */
  cpuSeconds(): Promise<number>;
  stop(): Promise<void>;
}

/** Starts routes that answer as the operator answered these requests. */
export const startBareRoutes = async (
  operator: HttpClient,
  samples: readonly HttpRequest[],
): Promise<BareRoutes> => {
  const routes: BareRoute[] = [];
  for (const sample of samples) {
    const answer = await operator.ask(sample);
    const path = sample.path.split('?')[0] ?? sample.path;
    routes.push({ method: sample.method, path, headers: ownHeaders(answer), body: answer.body });
  }
  const server = await startBareServer('bare-route.ts', routes);
  const client = httpClient(server.port);
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
      server.stop();
    },
  };
};

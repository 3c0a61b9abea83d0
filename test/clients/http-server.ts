import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent, fetch } from 'undici';
import { createCertificates } from '../cluster/certificates.ts';
import { findFreePorts } from '../cluster/ports.ts';
import { eventually } from '../support/eventually.ts';
import { type Installation, signingKey, waitForReason } from '../support/installation.ts';
import type { OperatorProcess } from '../support/operator-process.ts';

/** What clients of an HTTP server need to know before there is one. */
export interface HttpPlace {
  /** `issuer.url`, whose port is the server's own. */
  readonly issuer: string;
  /** The same server under another name of its certificate. */
  readonly otherURL: string;
  /** Authority of the server's certificate: a file, and its content. */
  readonly caFile: string;
  readonly ca: string;
  /** `fetch` that trusts that authority and no other. */
  readonly fetch: TrustingFetch;
}

/** As libraries call a `fetch` that they are given. */
export type TrustingFetch = (url: string, options?: object) => Promise<Response>;

/** A replica's HTTP server over TLS. */
export interface HttpServerProcess extends HttpPlace {
  readonly replica: OperatorProcess;
  /** Ends connections and removes files; the replica ends with its installation. */
  close(): Promise<void>;
}

/** Operators' configuration, section by section. */
type Config = Readonly<Record<string, object>>;

interface Preparation<Prepared> {
  /** Makes what has to be there when the server opens, clients say, while another replica leads. */
  readonly prepare: (place: HttpPlace) => Promise<Prepared>;
  readonly config?: Config;
}

const PATH = '/m2m-oauth-server';

/** undici's own fetch and its Agent belong together; Node's built-in fetch is of another version. */
const fetchBy =
  (dispatcher: Agent): TrustingFetch =>
  async (url, options = {}) =>
    (await fetch(url, { ...options, dispatcher })) as unknown as Response;

const listens = (operator: OperatorProcess): Promise<unknown> =>
  eventually(() => operator.log.some(({ message }) => message === 'HTTP listener started'), {
    timeoutMs: 60_000,
  });

/**
 * Opens the HTTP server of a replica that knows the signing key, and what was prepared, from its start: programs that are run
 * once can't be made to try again. Another replica leads. The port is chosen first, since `issuer.url` names it.
 */
export const startHttpServer = async <Prepared>(
  installation: Installation,
  { prepare, config = {} }: Preparation<Prepared>,
): Promise<{ server: HttpServerProcess; prepared: Prepared }> => {
  const [port] = await findFreePorts(1);
  const { ca, serving } = await createCertificates(['localhost', '127.0.0.1']);
  const dir = await mkdtemp(join(tmpdir(), 'm2m-http-server-'));
  const file = { ca: join(dir, 'ca.crt'), cert: join(dir, 'tls.crt'), key: join(dir, 'tls.key') };
  await writeFile(file.ca, ca);
  await writeFile(file.cert, serving.certificate);
  await writeFile(file.key, serving.key, { mode: 0o600 });
  const agent = new Agent({ connect: { ca } });
  const issuer = `https://localhost:${port}${PATH}`;
  const place = {
    issuer,
    otherURL: `https://127.0.0.1:${port}${PATH}`,
    caFile: file.ca,
    ca,
    fetch: fetchBy(agent),
  };

  const common = { ...config, issuer: { ...config.issuer, url: issuer } };
  const leader = await installation.operator({ config: common });
  await leader.ready();
  const prepared = await prepare(place);
  await waitForReason(installation.api, signingKey(), 'Active');
  const http = {
    address: `127.0.0.1:${port}`,
    tls: { certFile: file.cert, keyFile: file.key },
  };
  const replica = await installation.operator({ config: { ...common, http } });
  await replica.ready();
  await listens(replica);
  const close = async (): Promise<void> => {
    await agent.destroy();
    await rm(dir, { recursive: true, force: true });
  };
  return { server: { ...place, replica, close }, prepared };
};

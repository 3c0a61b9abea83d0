import type { SecureContextOptions } from 'node:tls';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';
import {
  type CertificateFiles,
  type Certificates,
  contextOptionsOf,
  readCertificates,
} from './certificates.ts';
import { watchFolders } from './watch-folders.ts';

export interface ServerCertificatesOptions {
  readonly files: CertificateFiles;
  readonly clock: Clock;
  readonly log: Log;
}

/** A TLS server, whatever it serves. */
interface SecureServer {
  setSecureContext(options: SecureContextOptions): void;
}

/** The certificates of one listener, as its files have them. */
export interface ServerCertificates {
  /** What to make the server with. */
  readonly context: SecureContextOptions;
  /** Gives the server every later content that can be used; connections that stand keep what they have. */
  follow(server: SecureServer): void;
  /** Looks no more. */
  stop(): void;
}

/** Who does not write all files at once gets this long to finish. */
const SECOND_LOOK_MS = 1000;

const isSame = (one: Certificates, other: Certificates): boolean =>
  one.cert.equals(other.cert) &&
  one.key.equals(other.key) &&
  (one.ca === undefined || other.ca === undefined ? one.ca === other.ca : one.ca.equals(other.ca));

/** Reads the files on {@link Reader.look}, one reading at a time, and calls back when they have changed to usable content. */
class Reader {
  readonly #options: ServerCertificatesOptions;
  readonly #onChange: (certificates: Certificates) => void;
  #current: Certificates;
  #cancelSecondLook = (): void => undefined;
  #failures = 0;
  #reported: string | undefined;
  #reading = false;
  #again = false;
  #stopped = false;

  constructor(
    options: ServerCertificatesOptions,
    current: Certificates,
    onChange: (certificates: Certificates) => void,
  ) {
    this.#options = options;
    this.#current = current;
    this.#onChange = onChange;
  }

  async look(): Promise<void> {
    this.#again = this.#reading;
    if (this.#reading) return;
    this.#reading = true;
    try {
      this.#take(await readCertificates(this.#options.files));
    } catch (error) {
      this.#reject(error);
    } finally {
      this.#reading = false;
    }
    if (this.#again && !this.#stopped) await this.look();
  }

  stop(): void {
    this.#stopped = true;
    this.#cancelSecondLook();
  }

  #take(certificates: Certificates): void {
    this.#failures = 0;
    this.#reported = undefined;
    if (this.#stopped || isSame(certificates, this.#current)) return;
    this.#current = certificates;
    this.#onChange(certificates);
  }

  /** A pair is broken for a moment while it is being replaced: only a lasting problem is logged, and once. */
  #reject(error: unknown): void {
    if (this.#stopped) return;
    this.#failures += 1;
    if (this.#failures === 1) {
      this.#cancelSecondLook = this.#options.clock.after(SECOND_LOOK_MS, () => void this.look());
      return;
    }
    const message = String(error);
    if (message === this.#reported) return;
    this.#reported = message;
    const { certFile } = this.#options.files;
    this.#options.log.warn('changed certificate files can not be used; the previous certificate stays', {
      certFile,
      error,
    });
  }
}

/**
 * Reads a listener's certificate files, and goes on looking at them.
 * @throws Error where they can't be used now
 */
export const openServerCertificates = async (
  options: ServerCertificatesOptions,
): Promise<ServerCertificates> => {
  const { files, clock, log } = options;
  let current = await readCertificates(files);
  const servers = new Set<SecureServer>();
  const report = (): void => {
    const { certFile } = files;
    log.info('certificate read', { certFile, validUntil: current.notAfter.toISOString() });
  };
  const reader = new Reader(options, current, (changed) => {
    current = changed;
    for (const server of servers) server.setSecureContext(contextOptionsOf(changed));
    report();
  });
  const paths = [files.certFile, files.keyFile, files.caFile].filter((path) => path !== '');
  const unwatch = watchFolders({ files: paths, clock, log }, () => void reader.look());
  report();
  return {
    get context() {
      return contextOptionsOf(current);
    },
    follow: (server) => void servers.add(server),
    stop: () => {
      unwatch();
      reader.stop();
      servers.clear();
    },
  };
};

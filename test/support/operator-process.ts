import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { stringify } from 'yaml';
import { eventually } from './eventually.ts';

const MAIN = join(import.meta.dirname, '../../dist/main.js');

/** One line of the operator's log. */
interface LogLine {
  readonly level: string;
  readonly message: string;
  readonly [field: string]: unknown;
}

export interface OperatorOptions {
  readonly kubeconfigPath: string;
  /** Merged over {@link LOOPBACK_CONFIG}, section by section; undefined leaves a section out. */
  readonly config?: Readonly<Record<string, object | undefined>>;
  readonly env?: NodeJS.ProcessEnv;
  /** Another program than the one that was compiled here. */
  readonly main?: string;
  /** What runs it: a command that executes its own arguments. */
  readonly launcher?: readonly string[];
  /** Each log line as it comes. */
  readonly onLog?: (line: LogLine) => void;
}

/** An operator as a process of its own: the compiled `dist/main.js` (`npm run build` first). */
export interface OperatorProcess {
  readonly pid: number;
  /** Base URL of /metrics, /healthz and /readyz. */
  readonly opsUrl: string;
  /** Every log line so far. */
  readonly log: readonly LogLine[];
  /** Resolves when /readyz answers 200. @throws Error with its last answer */
  ready(timeoutMs?: number): Promise<void>;
  /** The value of a metric's line, e.g. `m2moauth_leader`; 0 where there is none. Label sets are written as they are exposed. */
  metric(line: string): Promise<number>;
  /** The sum over all label sets that contain `labels`. */
  sum(name: string, labels?: string): Promise<number>;
  /** Closes the pipes that its log is read from, as where what collects logs has ended. */
  stopReading(): void;
  /** SIGKILL; resolves when it is gone. */
  kill(): Promise<void>;
  /** SIGTERM; resolves with the exit code. */
  stop(): Promise<number | null>;
  /** Exit code once it has ended. */
  readonly exited: Promise<number | null>;
}

/** Loopback everywhere, ports by the system. */
export const LOOPBACK_CONFIG = {
  grpc: { address: '127.0.0.1:0' },
  http: { address: '127.0.0.1:0' },
  ops: { address: '127.0.0.1:0' },
  probes: { address: '127.0.0.1:0' },
};

const MAX_LOG_LINES = 50_000;

const collectLog = (child: ChildProcess, options: OperatorOptions): LogLine[] => {
  const lines: LogLine[] = [];
  const take = (text: string): void => {
    let line: LogLine;
    try {
      line = JSON.parse(text) as LogLine;
    } catch {
      line = { level: 'stderr', message: text };
    }
    if (lines.length < MAX_LOG_LINES) lines.push(line);
    options.onLog?.(line);
  };
  if (child.stdout) createInterface({ input: child.stdout }).on('line', take);
  if (child.stderr) createInterface({ input: child.stderr }).on('line', take);
  return lines;
};

const parseMetrics = (text: string, name: string, labels: string): number =>
  text
    .split('\n')
    .filter((line) => line.startsWith(`${name} `) || (line.startsWith(`${name}{`) && line.includes(labels)))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);

/**
 * Starts the operator and resolves when its operations port listens (not yet ready).
 * @throws Error with the log where the process ends before that.
 */
export async function startOperator(options: OperatorOptions): Promise<OperatorProcess> {
  const dir = await mkdtemp(join(tmpdir(), 'm2m-operator-'));
  const configPath = join(dir, 'config.yaml');
  await writeFile(configPath, stringify({ ...LOOPBACK_CONFIG, ...options.config }));
  const command = [process.execPath, options.main ?? MAIN, '--config', configPath];
  const [program = '', ...args] = [...(options.launcher ?? []), ...command];
  const child = spawn(program, args, {
    env: {
      ...process.env,
      KUBECONFIG: options.kubeconfigPath,
      NODE_OPTIONS: '',
      // Issuers of tests are on loopback, which the proxy of a developer's machine does not reach.
      HTTPS_PROXY: '',
      https_proxy: '',
      ...options.env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const killWithParent = (): void => void child.kill('SIGKILL');
  process.once('exit', killWithParent);
  const exited = once(child, 'exit').then(async ([code]) => {
    process.off('exit', killWithParent);
    await rm(dir, { recursive: true, force: true });
    return code as number | null;
  });
  const log = collectLog(child, options);
  const port = await eventually(
    () => {
      const line = log.find(({ message }) => message === 'operations listener started');
      if (line) return line.port as number;
      if (child.exitCode !== null) throw new Error(`the operator ended: ${JSON.stringify(log.slice(-5))}`);
      return false;
    },
    { timeoutMs: 30_000 },
  );
  const opsUrl = `http://127.0.0.1:${port}`;
  const scrape = async (): Promise<string> => (await fetch(`${opsUrl}/metrics`)).text();
  return {
    pid: child.pid ?? 0,
    opsUrl,
    log,
    exited,
    ready: async (timeoutMs = 60_000) => {
      const look = async (): Promise<void> => {
        const answer = await fetch(`${opsUrl}/readyz`);
        const text = await answer.text();
        if (answer.status !== 200) throw new Error(`/readyz answers ${answer.status}: ${text}`);
      };
      await eventually(look, { timeoutMs });
    },
    metric: async (line) =>
      Number(
        (await scrape())
          .split('\n')
          .find((candidate) => candidate.startsWith(`${line} `))
          ?.slice(line.length + 1) ?? 0,
      ),
    sum: async (name, labels = '') => parseMetrics(await scrape(), name, labels),
    stopReading: () => {
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
    stop: async () => {
      child.kill('SIGTERM');
      return exited;
    },
  };
}

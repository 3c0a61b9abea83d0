import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArguments, USAGE } from './arguments.ts';
import { compose } from './compose.ts';
import { ConfigError, loadConfig } from './config/load.ts';
import { parseProxies } from './config/proxies.ts';
import type { Config } from './config/schema.ts';
import { configWarnings } from './config/warnings.ts';
import { migrate } from './migrate/migrate.ts';
import { createLog } from './ops/log.ts';

const MISUSE = 2;

const readVersion = (): string => {
  const text = readFileSync(join(import.meta.dirname, '../package.json'), 'utf8');
  return (JSON.parse(text) as { version: string }).version;
};

const readConfig = (path: string): Config | undefined => {
  try {
    // What can not be used is reported before anything starts.
    parseProxies(process.env);
    return loadConfig(path, process.env.POD_NAMESPACE);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return undefined;
  }
};

/** Runs the operator until a signal or a lost lease ends it. @returns the exit code */
const run = async (config: Config): Promise<number> => {
  const log = createLog(config.log.level);
  for (const { message, fields } of configWarnings(config)) log.warn(message, fields);
  const stopping = new AbortController();
  const onSignal = (signal: NodeJS.Signals): void => {
    if (stopping.signal.aborted) process.exit(1);
    log.info('stopping', { signal });
    stopping.abort();
  };
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal);
  process.on('unhandledRejection', (error) => {
    log.error('unhandled rejection, exiting', { error });
    void log.flush().then(() => process.exit(1));
  });
  try {
    const operator = await compose(config, log, { env: process.env, version: readVersion() });
    return await operator.run(stopping.signal);
  } catch (error) {
    log.error('the operator failed', { error });
    return 1;
  } finally {
    await log.flush();
  }
};

const STDIN = 0;

const printMigration = (from: string, namespace: string): number => {
  try {
    process.stdout.write(migrate(readFileSync(from === '-' ? STDIN : from, 'utf8'), namespace));
    return 0;
  } catch (error) {
    process.stderr.write(`${from}: ${(error as Error).message}\n`);
    return MISUSE;
  }
};

const main = async (): Promise<number> => {
  const command = parseArguments(process.argv.slice(2));
  switch (command.kind) {
    case 'help':
      process.stdout.write(USAGE);
      return 0;
    case 'version':
      process.stdout.write(`${readVersion()}\n`);
      return 0;
    case 'misuse':
      process.stderr.write(`${command.message}\n\n${USAGE}`);
      return MISUSE;
    case 'migrate':
      return printMigration(command.from, command.namespace);
    case 'run': {
      const config = readConfig(command.configPath);
      return config === undefined ? MISUSE : run(config);
    }
  }
};

process.exit(await main());

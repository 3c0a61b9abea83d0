import { configSchema } from '../../../../operator/config/schema.ts';
import { systemClock } from '../../../../operator/ops/system-clock.ts';
import {
  createLoadLimits,
  type LoadLimits,
  type LoadLimitsOptions,
  type PerAddressLimits,
} from '../../../../operator/servers/listener/load-limits.ts';
import { recordedLog, recordedMetrics } from '../../../support/quiet.ts';

const PLAIN = { tls: { plaintext: true } };
const DEFAULTS = configSchema(undefined).parse({ grpc: PLAIN, http: PLAIN }).limits;

/** The limits of a server with the defaults of the configuration, but for those that a test sets. */
export const testLoadLimits = ({
  perAddress,
  ...more
}: Partial<Omit<LoadLimitsOptions, 'perAddress'>> & {
  readonly perAddress?: Partial<PerAddressLimits>;
} = {}): LoadLimits =>
  createLoadLimits({
    connections: DEFAULTS.connections,
    perAddress: { ...DEFAULTS.perAddress, ...perAddress },
    trustedProxies: [],
    clock: systemClock,
    log: recordedLog(),
    metrics: recordedMetrics(),
    ...more,
  });

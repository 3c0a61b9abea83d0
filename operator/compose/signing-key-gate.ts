import { sleep } from '../async/sleep.ts';
import type { IssuerKeyring } from '../issuer/keys/keyring.ts';
import type { MonotonicClock } from '../ports/clock.ts';
import type { Gate } from '../runtime/manager.ts';

const PATIENCE_MS = 5_000;
const POLL_MS = 20;

/** The first passes need what signs: without this wait they would call it missing. A key that can't be read holds up nothing for long. */
export const signingKeyGate =
  (keyring: Pick<IssuerKeyring, 'loaded'>, clock: MonotonicClock): Gate =>
  async (signal) => {
    const giveUpAt = clock.monotonic() + PATIENCE_MS;
    while (!keyring.loaded && clock.monotonic() < giveUpAt && (await sleep(clock, POLL_MS, signal)));
  };

/** A timer that aborts unless it is restarted in time. */
export interface SilenceLimit {
  /** Aborts with the error of the limit that was exceeded, or with the caller's reason. */
  readonly signal: AbortSignal;
  /** Rejects as `signal` aborts. */
  readonly exceeded: Promise<never>;
  readonly restart: (ms: number, error: () => Error) => void;
  readonly end: () => void;
}

/** The limit is not counted before its first `restart`. */
export function createSilenceLimit(signal: AbortSignal | undefined): SilenceLimit {
  const limit = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const either = AbortSignal.any([limit.signal, ...(signal ? [signal] : [])]);
  const exceeded = new Promise<never>((_, reject) => {
    const fail = () => reject(either.reason);
    if (either.aborted) fail();
    else either.addEventListener('abort', fail, { once: true });
  });
  exceeded.catch(() => {});
  return {
    signal: either,
    exceeded,
    restart: (ms, error) => {
      clearTimeout(timer);
      timer = setTimeout(() => limit.abort(error()), ms);
    },
    end: () => clearTimeout(timer),
  };
}

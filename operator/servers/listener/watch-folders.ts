import { type FSWatcher, watch } from 'node:fs';
import { dirname } from 'node:path';
import type { Clock } from '../../ports/clock.ts';
import type { Log } from '../../ports/log.ts';

export interface WatchOptions {
  readonly files: readonly string[];
  readonly clock: Clock;
  readonly log: Log;
}

/** Changes come in bursts: a link is made, moved, and an old folder removed. */
const DEBOUNCE_MS = 100;
/** For changes without an event: a link that leads elsewhere, a file system without notification. */
const POLL_MS = 30_000;

const watchFolder = (folder: string, onEvent: () => void, log: Log): FSWatcher | undefined => {
  const onError = (error: unknown): void =>
    log.warn('a folder can not be watched; its files are polled', { folder, error });
  try {
    return watch(folder, { persistent: false }, onEvent).on('error', onError);
  } catch (error) {
    onError(error);
    return undefined;
  }
};

/**
 * Calls back when the files may have changed, and every 30 s at the latest: folders are watched, since Kubernetes
 * changes a mounted Secret by moving the link `..data` beside the files. The returned function ends it.
 */
export const watchFolders = ({ files, clock, log }: WatchOptions, look: () => void): (() => void) => {
  let cancel = (): void => undefined;
  let isRetryable = false;
  const lookIn = (ms: number): void => {
    cancel();
    cancel = clock.after(ms, () => {
      isRetryable = false;
      lookIn(POLL_MS);
      look();
    });
  };
  // Not put off by each further event: in a busy folder they never end.
  const onEvent = (): void => {
    if (isRetryable) return;
    isRetryable = true;
    lookIn(DEBOUNCE_MS);
  };
  const folders = new Set(files.map((file) => dirname(file)));
  const watchers = [...folders].map((folder) => watchFolder(folder, onEvent, log));
  lookIn(POLL_MS);
  return () => {
    cancel();
    for (const watcher of watchers) watcher?.close();
  };
};

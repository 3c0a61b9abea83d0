import { stopNode } from './teardown.ts';

/** What the watchdog runs when a process has ended without stopping the node of its cluster. */
await stopNode(process.argv[2] ?? '');

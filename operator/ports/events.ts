import type { KubeObject } from '../api/meta.ts';

/** A Kubernetes Event about an object. */
export interface EventNote {
  readonly regarding: KubeObject;
  readonly type: 'Normal' | 'Warning';
  /** CamelCase, one of the condition reasons or `Renewed`, `Revoked`, … */
  readonly reason: string;
  /** What the operator did or tried: `Issue`, `Renew`, `Blacklist`, `Reconcile`, … */
  readonly action: string;
  readonly note: string;
}

/** Takes notes without waiting: aggregates repeats, limits the rate, drops rather than grows, never throws. */
export interface EventRecorder {
  record(event: EventNote): void;
}

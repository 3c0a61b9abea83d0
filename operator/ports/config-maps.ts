import type { KubeObject } from '../api/meta.ts';

/** A ConfigMap, as far as this product writes it. */
export interface ConfigMap extends KubeObject {
  readonly kind: 'ConfigMap';
  readonly data?: Readonly<Record<string, string>>;
  readonly immutable?: boolean;
}

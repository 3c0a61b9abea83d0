import type { KeyEntry, SigningKey, SigningKeySpec } from '../../../../operator/api/signing-key.ts';
import { ROTATE_REQUEST } from '../../../../operator/domain/held-metadata.ts';
import type { CompromisedKeys } from '../../../../operator/domain/key/compromised-keys.ts';
import { compromisedKids } from '../../../../operator/domain/key/jwks.ts';
import {
  algorithmOf,
  type KeySecret,
  KID_ANNOTATION,
  keySecretAnnotations,
  keySecretMarks,
  keySecretName,
  type PublicKey,
} from '../../../../operator/domain/key/key-secrets.ts';
import { planSigningKey } from '../../../../operator/domain/key/rotation-plan.ts';
import type { ProvidedKey } from '../../../../operator/domain/key/signing-key-observation.ts';

import { SECOND } from '../../../support/durations.ts';

/** The process dies: between two writes, nowhere else. */
export class Crash extends Error {}

/** A key that began to sign: when an earlier status had first listed it as Published, and what made it sign. */
export interface Activation {
  readonly kid: string;
  readonly at: number;
  readonly publishedSince: number | undefined;
  readonly because: 'bootstrap' | 'emergency' | 'asked' | 'schedule';
}

interface StoredSecret {
  readonly name: string;
  labels: Readonly<Record<string, string>>;
  annotations: Readonly<Record<string, string>>;
  /** The private half: of which key. */
  pem: string | undefined;
  retired: readonly KeyEntry[];
  compromised: readonly string[];
}

/** A SigningKey, its Secrets, its tokens and a clock, as far as a plan can see them. Every status that was ever stored is kept in `history`. */
export class FakeSigningKey {
  now = Date.UTC(2026, 0, 1);
  spec: SigningKeySpec = { algorithm: 'ES256' };
  annotations: Record<string, string> = {};
  status: SigningKey['status'];
  /** The other SigningKeys of the namespace. */
  others: readonly SigningKey[] = [];
  provided: ProvidedKey | undefined;
  /** Private keys in the memory of the process that plans. */
  heldKids: ReadonlySet<string> = new Set();
  /** What the operator remembers of compromised keys. */
  remembered: CompromisedKeys | undefined;
  secrets = new Map<string, StoredSecret>();
  /** Whatever any spec ever named. */
  readonly everCompromised = new Set<string>();
  tokens: { kid: string; exp: number | 'never' }[] = [];
  history: { at: number; keys: readonly KeyEntry[] }[] = [];
  readonly activations: Activation[] = [];
  readonly #everActive = new Set<string>();
  readonly #publishedSince = new Map<string, number>();
  writes = 0;
  budget = Number.POSITIVE_INFINITY;
  mayGenerate = true;
  nameKey = (made: number): string => `k${made}`;
  #made = 0;

  get signingKey(): SigningKey {
    return {
      apiVersion: 'm2moauth.dev/v1alpha1',
      kind: 'SigningKey',
      metadata: {
        name: 'default',
        namespace: 'system',
        uid: 'u',
        resourceVersion: '1',
        creationTimestamp: '2026-01-01T00:00:00Z',
        generation: 1,
        annotations: this.annotations,
      },
      spec: this.spec,
      ...(this.status && { status: this.status }),
    };
  }

  get keys(): readonly KeyEntry[] {
    return this.status?.keys ?? [];
  }

  active = (): KeyEntry | undefined => this.keys.find(({ phase }) => phase === 'Active');
  standbys = (): readonly KeyEntry[] => this.keys.filter(({ phase }) => phase === 'Published');
  ready = () => this.status?.conditions?.find(({ type }) => type === 'Ready');
  secretOf = (kid: string): StoredSecret | undefined => this.secrets.get(keySecretName('default', kid));
  rotate(value: string): void {
    this.annotations[ROTATE_REQUEST.annotation] = value;
  }
  compromise(kid: string): void {
    this.everCompromised.add(kid);
    this.spec = { ...this.spec, compromised: [...(this.spec.compromised ?? []), kid] };
  }

  /** A user deletes the SigningKey, and makes another of its name, without its status. */
  recreate(): void {
    this.status = undefined;
    this.history = [];
    this.annotations = {};
    this.spec = { algorithm: this.spec.algorithm };
  }

  static publicKey = (kid: string, algorithm: SigningKeySpec['algorithm'] = 'ES256'): PublicKey => ({
    kid,
    algorithm,
    publicJWK: { kty: 'EC', crv: 'P-256', x: kid, y: kid, kid, use: 'sig', alg: algorithm },
  });

  plan() {
    return planSigningKey({
      signingKey: this.signingKey,
      compromised: compromisedKids([this.signingKey, ...this.others]),
      secrets: [...this.secrets.values()].map((secret) => this.#observe(secret)),
      provided: this.provided,
      ...(this.remembered && { remembered: this.remembered }),
      readableKids: new Set(),
      heldKids: this.heldKids,
      lastExpirationOf: (kid) => this.#lastExpirationOf(kid),
      now: this.now,
    });
  }

  /** Observe, plan, apply, as the reconciler does it, until a pass finds nothing to do. @throws Crash where the budget of writes ends. */
  reconcile(): number | undefined {
    for (let round = 0; round < 10; round++) {
      let plan = this.plan();
      if (plan.generate.length > 0 && this.mayGenerate) {
        for (const algorithm of plan.generate) this.#generate(algorithm);
        plan = this.plan();
      }
      if (plan.status) {
        const { status } = plan;
        this.#write(() => {
          this.#noteActivation(status.keys ?? []);
          this.status = status;
          this.history.push({ at: this.now, keys: status.keys ?? [] });
        });
      }
      for (const { secret, labels, annotations, retired, compromised } of plan.change) {
        const stored = this.secrets.get(secret.name);
        if (stored) this.#write(() => Object.assign(stored, { labels, annotations, retired, compromised }));
      }
      for (const { name } of plan.remove) this.#write(() => this.secrets.delete(name));
      if (!plan.status && plan.change.length === 0 && plan.remove.length === 0) return plan.requeueAt;
    }
    throw new Error('ten rounds, and still something to do');
  }

  /** Lets time pass, reconciling whenever a plan asked for it. */
  advance(ms: number): void {
    const end = this.now + ms;
    for (;;) {
      const next = this.reconcile();
      if (next === undefined || next > end) break;
      this.now = next;
    }
    this.now = end;
    this.reconcile();
  }

  #generate(algorithm: SigningKeySpec['algorithm']): void {
    const kid = this.nameKey(++this.#made);
    const name = keySecretName('default', kid);
    const annotations = keySecretAnnotations({ kid, algorithm });
    this.#write(() =>
      this.secrets.set(name, {
        name,
        labels: keySecretMarks('default', kid).labels,
        annotations,
        pem: kid,
        retired: [],
        compromised: [],
      }),
    );
  }

  #write(write: () => void): void {
    if (this.budget-- <= 0) throw new Crash();
    write();
    this.writes++;
  }

  #noteActivation(keys: readonly KeyEntry[]): void {
    // Times in a status are whole seconds.
    const now = Math.floor(this.now / SECOND) * SECOND;
    for (const { kid, phase } of keys) {
      if (phase !== 'Active' || this.#everActive.has(kid)) continue;
      const publishedSince = this.#publishedSince.get(kid);
      this.activations.push({ kid, at: now, publishedSince, because: this.#causeOfActivation() });
      this.#everActive.add(kid);
    }
    // After the look above: this status is no earlier one.
    for (const { kid, phase } of keys) {
      if (phase === 'Published' && !this.#publishedSince.has(kid)) this.#publishedSince.set(kid, now);
    }
  }

  #causeOfActivation(): Activation['because'] {
    if (this.#everActive.size === 0) return 'bootstrap';
    const active = this.active();
    if (!active || this.everCompromised.has(active.kid) || this.secretOf(active.kid)?.pem !== active.kid)
      return 'emergency';
    const asked = this.annotations[ROTATE_REQUEST.annotation];
    return asked !== undefined && asked !== this.status?.lastHandledRotate ? 'asked' : 'schedule';
  }

  #lastExpirationOf(kid: string): number | 'never' | undefined {
    const valid = this.tokens.filter(
      (token) => token.kid === kid && (token.exp === 'never' || token.exp * 1000 > this.now),
    );
    if (valid.length === 0) return undefined;
    if (valid.some(({ exp }) => exp === 'never')) return 'never';
    return Math.max(...valid.map(({ exp }) => Number(exp)));
  }

  #observe({ name, labels, annotations, pem, retired, compromised }: StoredSecret): KeySecret {
    const algorithm = algorithmOf(annotations);
    const isWhole = pem !== undefined && pem === annotations[KID_ANNOTATION] && algorithm !== undefined;
    const key = isWhole ? FakeSigningKey.publicKey(pem, algorithm) : undefined;
    return { name, uid: name, resourceVersion: '1', labels, annotations, key, retired, compromised };
  }
}

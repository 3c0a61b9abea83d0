import type { TokenReason } from '../../api/conditions.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { KeyPhase } from '../../api/signing-key.ts';
import type { Token } from '../../api/token.ts';
import type { IssuerSettings } from '../jwt/claims.ts';
import type { Marking } from '../own-mark.ts';

/** A JWT found in a Secret whose signature one of the issuer's keys made. The JWT itself is not kept. */
export interface ObservedJwt {
  readonly dataKey: string;
  readonly kid: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** Whose controller reference a Secret has: this Token's, that of a deleted Token of the same name, another resource's, or none. */
export type SecretController = 'Token' | 'Predecessor' | 'Other' | 'None';

/** A Secret that the Token owns, or that has the name that the Token asks for. */
export interface ObservedSecret {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** The Token is its controller, or may take it over: no other resource controls it, its marks name the Token, and a JWT in it proves it. */
  readonly owned: boolean;
  readonly controller: SecretController;
  /** What its marks say of it and this Token. */
  readonly marking: Marking;
  /** It has a deletionTimestamp: a finalizer delays its deletion. */
  readonly terminating: boolean;
  /** Labels and annotations of others may be missing: the Secret has to be read before it is written. */
  readonly isReduced: boolean;
  readonly labels: Readonly<Record<string, string>>;
  /** Long values may be digests (see held-metadata.ts). */
  readonly annotations: Readonly<Record<string, string>>;
  /** By `metadata.managedFields`: which names the operator wrote last, and which other managers did. */
  readonly fields: {
    readonly managedDataKeys: readonly string[];
    readonly dataOfOtherManagers: readonly string[];
    readonly ownLabels: readonly string[];
    readonly ownAnnotations: readonly string[];
  };
  /** The issuer's JWTs in it if the content was read; undefined if only metadata is known. */
  readonly jwts?: readonly ObservedJwt[] | undefined;
}

/** The state of the keyring while planning. */
interface ObservedKeys {
  /** The kid that signs now; undefined while no private key is loaded. */
  readonly activeKid: string | undefined;
  phase(kid: string): KeyPhase | 'Compromised' | undefined;
}

/** Why the Secret could not be written earlier in this reconcile, which plans again with this knowledge. */
export interface SecretFailure {
  readonly reason: 'SecretRefused' | 'Issuing';
  readonly message: string;
}

/** What has blocked a Token since an earlier reconcile; `since` in seconds since the Unix epoch. */
export interface KnownBlocker {
  readonly reason: TokenReason;
  readonly since: number;
}

/** All input of a Token's plan. */
export interface TokenObservation {
  readonly token: Token;
  readonly client: OAuthClient | undefined;
  /** Undefined if the namespace has so many that none is held: no selector matches it. */
  readonly namespaceLabels: Readonly<Record<string, string>> | undefined;
  readonly secrets: readonly ObservedSecret[];
  readonly keys: ObservedKeys;
  readonly settings: IssuerSettings;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly failure?: SecretFailure | undefined;
  /** When the next repair of the Secret that others undo may be made, in milliseconds since the Unix epoch; undefined: now. */
  readonly repairAt?: number | undefined;
  /** When the next JWT that is paced may be issued, in milliseconds since the Unix epoch; undefined: now. */
  readonly reissueAt?: number | undefined;
  /** Undefined if no earlier reconcile of this process found the Token blocked. */
  readonly blocker?: KnownBlocker | undefined;
}

/** A Token's observation in which the client was found. */
export type PermittedObservation = TokenObservation & { readonly client: OAuthClient };

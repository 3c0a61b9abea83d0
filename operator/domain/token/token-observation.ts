import type { TokenReason } from '../../api/conditions.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import type { KeyPhase } from '../../api/signing-key.ts';
import type { Token } from '../../api/token.ts';
import type { IssuerSettings } from '../jwt/claims.ts';
import { floorSeconds, secondsOf } from '../timestamps.ts';

/** A JWT in a Secret that one of our keys has signed; its text is not kept. */
export interface ObservedJwt {
  readonly dataKey: string;
  readonly kid: string;
  readonly claims: Readonly<Record<string, unknown>>;
}

/** A Secret that the Token owns, or that stands at the name it asks for. */
export interface ObservedSecret {
  readonly name: string;
  readonly uid: string;
  readonly resourceVersion: string;
  /** The Token is its controller. */
  readonly owned: boolean;
  /** Its controller is a Token of this name that is no more: the garbage collector has yet to come for it. */
  readonly ofPredecessor: boolean;
  /** It has a deletionTimestamp: somebody's finalizer holds it. */
  readonly terminating: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** By field ownership: what this operator wrote last, and what others did. */
  readonly fields: {
    readonly ownData: readonly string[];
    readonly dataOfOtherManagers: readonly string[];
    readonly ownLabels: readonly string[];
    readonly ownAnnotations: readonly string[];
  };
  /** Its good JWTs, where the content was read; undefined where only metadata is known. */
  readonly jwts?: readonly ObservedJwt[] | undefined;
}

/** What the keyring says while planning. */
interface ObservedKeys {
  /** The kid that signs now, once its private half is at hand. */
  readonly activeKid: string | undefined;
  phase(kid: string): KeyPhase | 'Compromised' | undefined;
}

/** Why this pass could not write the Secret: the pass plans once more, knowing it. */
export interface SecretFailure {
  readonly reason: 'SecretRefused' | 'Issuing';
  readonly message: string;
}

/** What keeps meeting a Token that tries again, and since when it does, in seconds since the Unix epoch. */
export interface KnownBlocker {
  readonly reason: TokenReason;
  readonly since: number;
}

/** Everything that a plan for a Token is made from. */
export interface TokenObservation {
  readonly token: Token;
  readonly client: OAuthClient | undefined;
  readonly namespaceLabels: Readonly<Record<string, string>>;
  readonly secrets: readonly ObservedSecret[];
  readonly keys: ObservedKeys;
  readonly settings: IssuerSettings;
  /** Milliseconds since the Unix epoch. */
  readonly now: number;
  readonly failure?: SecretFailure | undefined;
  /** Undefined where no earlier pass of this process met one. */
  readonly blocker?: KnownBlocker | undefined;
}

/** The key `<namespace>/<name>` of the OAuthClient that a Token names (its own namespace by default). */
export const clientKeyOf = ({ metadata, spec }: Token): string =>
  `${spec.clientRef.namespace ?? metadata.namespace}/${spec.clientRef.name}`;

/** When the current JWT expires, in seconds; undefined where there is none, or it never does. */
export const currentExpiration = ({ status }: Token): number | undefined =>
  status?.expiration === undefined ? undefined : secondsOf(status.expiration);

/** Whether the Token has a JWT that has expired. */
export const isExpired = ({ token, now }: TokenObservation): boolean => {
  const expiration = currentExpiration(token);
  return expiration !== undefined && expiration <= floorSeconds(now);
};

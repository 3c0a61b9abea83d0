import type { SigningKeyReason } from '../../api/conditions.ts';
import { type ConditionUpdate, setCondition } from '../../api/meta.ts';
import type { Algorithm, KeyEntry, SigningKeyStatus } from '../../api/signing-key.ts';
import { formatTime, secondsOf } from '../../api/time.ts';
import { canonicalJson } from '../canonical-json.ts';
import { ROTATE_REQUEST, requestedValue } from '../held-metadata.ts';
import {
  activate,
  activeOf,
  byPublication,
  dropBeyondLimit,
  isUserProvided,
  knownEntries,
  MAX_KEYS,
  pruneRetired,
  removableAt,
  retire,
  retireCompromised,
  retireDuplicateActive,
  usableActiveOf,
} from './key-phases.ts';
import { findUnneededSecrets, type KeySecretChange, planSecretChanges } from './key-secret-changes.ts';
import type { KeySecret } from './key-secrets.ts';
import {
  findProvidedKey,
  nextToSign,
  publish,
  retireSurplusPublished,
  retireUnfitPublished,
  usablePublished,
} from './published-keys.ts';
import {
  buildRotationContext,
  MIN_PUBLISH_SECONDS,
  type RotationContext,
  type SigningKeyObservation,
} from './signing-key-observation.ts';

/** How long to wait before checking again whether a token without expiration names a retired key. */
const CHECK_AGAIN_SECONDS = 600;

/** A key that becomes Active. */
interface Activation {
  readonly kid: string;
  /**
   * The activation may wait until the JWKS ConfigMap has the key: another key still signs, or none has ever signed, so that no
   * workload depends on it.
   */
  readonly mayWaitForJwks: boolean;
}

/** What to do, in this order: generate (and plan again with the result), write the status, change Secrets, remove Secrets. */
export interface SigningKeyPlan {
  /** One new key pair for each; the rest of the plan holds even if they can't be stored. */
  readonly generate: readonly Algorithm[];
  /** Undefined if the stored status is as planned. */
  readonly status: SigningKeyStatus | undefined;
  /** The key that becomes Active with that status. */
  readonly activation: Activation | undefined;
  readonly change: readonly KeySecretChange[];
  readonly remove: readonly KeySecret[];
  /** Milliseconds since the Unix epoch; undefined if time alone changes nothing. */
  readonly requeueAt: number | undefined;
}

const isRotationRequested = ({ signingKey }: RotationContext): boolean => {
  const requested = requestedValue(ROTATE_REQUEST, signingKey.metadata);
  const hasKeys = (signingKey.status?.keys ?? []).length > 0;
  return hasKeys && requested !== undefined && requested !== signingKey.status?.lastHandledRotate;
};

/**
 * When `next` takes over from `active` by schedule, in seconds since the Unix epoch: `publishBefore` after its publication,
 * and not before `active` has signed for `interval`, unless the spec no longer asks for such a key.
 */
const scheduledAt = (active: KeyEntry, next: KeyEntry, context: RotationContext): number => {
  const knownToVerifiers = secondsOf(next.publishedAt) + context.publishBefore;
  const isActiveWanted =
    !context.provided && !isUserProvided(active) && active.algorithm === context.signingKey.spec.algorithm;
  if (!isActiveWanted) return knownToVerifiers;
  return Math.max(knownToVerifiers, secondsOf(active.activatedAt ?? active.publishedAt) + context.interval);
};

/**
 * When `next` takes over, in seconds since the Unix epoch: now if no key can sign or a rotation is requested, else by schedule;
 * undefined without a next key, or without room for one more.
 */
const takeoverAt = (
  entries: readonly KeyEntry[],
  next: KeyEntry | undefined,
  context: RotationContext,
): number | undefined => {
  if (next === undefined) return undefined;
  const active = usableActiveOf(entries, context);
  if (active === undefined) return context.seconds;
  // A rotation adds an entry, and one place stays free for an emergency: at the limit it waits until a retired key is removed.
  if (entries.length + 2 > MAX_KEYS) return undefined;
  return isRotationRequested(context) ? context.seconds : scheduledAt(active, next, context);
};

interface Rotation {
  readonly entries: readonly KeyEntry[];
  /** How many keys have to be generated. */
  readonly missing: number;
  readonly activation: Activation | undefined;
  /** When the key that is Published after this plan takes over, in seconds since the Unix epoch. */
  readonly nextTakeoverAt: number | undefined;
}

/**
 * The Published key takes over when it is due and the Active key retires; one key is Published after that (spec §2.5), and a
 * second one while no key can sign.
 */
const rotate = (before: readonly KeyEntry[], context: RotationContext): Rotation => {
  const isEmergency = usableActiveOf(before, context) === undefined;
  const next = nextToSign(before, context);
  const nextTakeoverAt = takeoverAt(before, next, context);
  const isDue = nextTakeoverAt !== undefined && nextTakeoverAt <= context.seconds;
  const { entries: withPublished, missing } = publish(before, context, isEmergency || isDue ? 2 : 1);
  if (!next || !isDue) return { entries: withPublished, missing, activation: undefined, nextTakeoverAt };

  const entries = withPublished.map((entry) => {
    if (entry.kid === next.kid) return activate(entry, context);
    return entry.phase === 'Active' ? retire(entry, context) : entry;
  });
  const hasEverSigned = before.some(({ activatedAt }) => activatedAt !== undefined);
  const activation = { kid: next.kid, mayWaitForJwks: !isEmergency || !hasEverSigned };
  const [successor] = usablePublished(entries, context);
  const active = activeOf(entries);
  return {
    entries,
    missing,
    activation,
    nextTakeoverAt: active && successor && scheduledAt(active, successor, context),
  };
};

/** `status.lastHandledRotate`: handled by a rotation; recorded without effect if there are no keys yet, or if the key is provided. */
const lastHandledRotate = (hasRotated: boolean, context: RotationContext): string | undefined => {
  const { status, metadata } = context.signingKey;
  const requested = requestedValue(ROTATE_REQUEST, metadata);
  const isHandled = hasRotated || context.provided !== undefined || !isRotationRequested(context);
  return requested !== undefined && isHandled ? requested : status?.lastHandledRotate;
};

const ready = (status: 'True' | 'False', reason: SigningKeyReason, message: string): ConditionUpdate => ({
  type: 'Ready',
  status,
  reason,
  message,
});

/**
 * Until when verifiers may not know the provided key that signs, in seconds since the Unix epoch: the key before it had to stop signing, for
 * example because its private key was lost, so that this one could not wait. Undefined if it has waited, or is the first one.
 */
const unknownUntil = (
  entries: readonly KeyEntry[],
  active: KeyEntry,
  context: RotationContext,
): number | undefined => {
  const until = secondsOf(active.publishedAt) + MIN_PUBLISH_SECONDS;
  const hasReplaced = entries.some(
    ({ kid, activatedAt, retiredAt }) =>
      kid !== active.kid && activatedAt !== undefined && retiredAt === active.activatedAt,
  );
  const isTooNew = secondsOf(active.activatedAt ?? active.publishedAt) < until && context.seconds < until;
  return isUserProvided(active) && hasReplaced && isTooNew ? until : undefined;
};

/** How the Active key signs. */
const describeSigning = (
  entries: readonly KeyEntry[],
  active: KeyEntry,
  context: RotationContext,
): string => {
  const signs = `key ${active.kid} (${active.algorithm}) signs`;
  if (context.isReplaced(active)) {
    return `${signs} from the memory of replicas that have read it, since its Secret holds another key now`;
  }
  const until = unknownUntil(entries, active, context);
  return until === undefined
    ? signs
    : `${signs} since ${active.activatedAt}, without having been published for ${MIN_PUBLISH_SECONDS} s before, since the key before it had to stop signing: verifiers that cached the JWKS may reject its tokens until ${formatTime(until)}`;
};

const readyCondition = (entries: readonly KeyEntry[], context: RotationContext): ConditionUpdate => {
  const { provided, compromised, failure } = context;
  const found = findProvidedKey(entries, context);
  if (found && 'problem' in found) {
    const isCompromised = provided && 'key' in provided && compromised.has(provided.key.kid);
    if (isCompromised) return ready('False', 'KeyCompromised', found.problem);
    return ready('False', 'PrivateKeyInvalid', `spec.privateKeyRef: ${found.problem}`);
  }
  const nonePublished = `no key is published to sign next${failure === undefined ? '' : `: ${failure}`}`;
  const active = activeOf(entries);
  const next = entries.find(({ phase }) => phase === 'Published');
  if (!active || !context.isUsable(active)) {
    const problem = active ? `the private key of ${active.kid} is lost` : 'no key signs yet';
    const outlook = next ? `key ${next.kid} is published and signs next` : nonePublished;
    return ready('False', 'NoActiveKey', `${problem}; ${outlook}`);
  }
  const signs = describeSigning(entries, active, context);
  if (next) {
    return ready(
      'True',
      'Active',
      `${signs}; key ${next.kid} (${next.algorithm}) is published and signs next`,
    );
  }
  return ready('True', 'Active', provided ? signs : `${signs}; ${nonePublished}`);
};

const requeueAt = (
  entries: readonly KeyEntry[],
  nextTakeoverAt: number | undefined,
  context: RotationContext,
): number | undefined => {
  const removals = entries
    .filter(({ phase }) => phase === 'Retired')
    .map((entry) => removableAt(entry, context) ?? context.seconds + CHECK_AGAIN_SECONDS);
  const active = activeOf(entries);
  const changes = [nextTakeoverAt, active && unknownUntil(entries, active, context)];
  const times = [...removals, ...changes.filter((at) => at !== undefined)].filter(
    (at) => at > context.seconds,
  );
  return times.length === 0 ? undefined : Math.min(...times) * 1000;
};

/**
 * Plans the keys of a SigningKey (spec §2.5): publish before signing, one Published key at all times unless the private key is provided, retire, remove when
 * no valid token names the key, rebuild entries that the status lost. Pure: equal observations give equal plans, and an
 * observation of a plan's result gives an empty plan.
 */
export const planSigningKey = (observation: SigningKeyObservation): SigningKeyPlan => {
  const context = buildRotationContext(observation);
  const { metadata, spec, status: stored } = context.signingKey;
  const known = retireDuplicateActive(retireCompromised(knownEntries(context), context), context);
  const rotation = rotate(retireUnfitPublished(known, context), context);
  const settled = pruneRetired(retireSurplusPublished(rotation.entries, context), context);
  const entries = dropBeyondLimit(settled).sort(byPublication);
  const observedGeneration = metadata.generation ?? 0;
  const handled = lastHandledRotate(rotation.activation !== undefined, context);
  const status: SigningKeyStatus = {
    keys: entries,
    ...(handled !== undefined && { lastHandledRotate: handled }),
    observedGeneration,
    conditions: setCondition(stored?.conditions, readyCondition(entries, context), {
      now: context.time,
      observedGeneration,
    }),
  };
  return {
    generate: Array.from({ length: rotation.missing }, () => spec.algorithm),
    status: canonicalJson(status) === canonicalJson(stored) ? undefined : status,
    activation: rotation.activation,
    change: planSecretChanges(entries, context),
    remove: findUnneededSecrets(entries, context),
    requeueAt: requeueAt(entries, rotation.nextTakeoverAt, context),
  };
};

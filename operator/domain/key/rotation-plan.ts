import type { Algorithm, KeyEntry, SigningKeyStatus } from '../../api/signing-key.ts';
import { ROTATE_REQUEST, requestedValue } from '../annotation-request.ts';
import { canonicalJson } from '../canonical-json.ts';
import { secondsOf } from '../timestamps.ts';
import {
  activate,
  buildRotationContext,
  byPublication,
  dropBeyondLimit,
  isUserProvided,
  knownEntries,
  MAX_KEYS,
  type RotationContext,
  removableAt,
  retire,
  retireCompromised,
  retireDoubles,
  settleRetired,
} from './key-phases.ts';
import {
  type KeySecret,
  keySecretAnnotations,
  keySecretLabels,
  keySecretName,
  MAX_COMPROMISED,
} from './key-secrets.ts';
import type { SigningKeyObservation } from './rotation-observation.ts';
import { signingKeyConditions } from './signing-key-conditions.ts';
import {
  findSpentSecrets,
  publishGenerated,
  publishProvidedKey,
  retireUnfitStandbys,
} from './standby-keys.ts';

/** How long to wait before asking again whether a token without expiration still names a retired key. */
const ASK_AGAIN_SECONDS = 600;

/** How a key Secret's metadata and what it remembers of other keys are to stand; everything else in it stays. */
export interface KeySecretChange {
  readonly secret: KeySecret;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly retired: readonly KeyEntry[];
  readonly compromised: readonly string[];
}

/** A key that begins to sign. */
interface Activation {
  readonly kid: string;
  readonly canWait: boolean;
}

/** What to do, in this order: generate (and plan again with what came of it), write the status, change Secrets, remove Secrets. */
export interface SigningKeyPlan {
  /** One new key pair for each; the rest of the plan does without where they can't be made. */
  readonly generate: readonly Algorithm[];
  /** Undefined where the status stands as it should. */
  readonly status: SigningKeyStatus | undefined;
  /** The key that begins to sign by that status; it `canWait` where the one before it can go on, or no key ever signed. */
  readonly activation: Activation | undefined;
  readonly change: readonly KeySecretChange[];
  readonly remove: readonly KeySecret[];
  /** Milliseconds since the Unix epoch; undefined where no time changes anything. */
  readonly requeueAt: number | undefined;
}

const activeOf = (entries: readonly KeyEntry[]): KeyEntry | undefined =>
  entries.find(({ phase }) => phase === 'Active');
const standbysOf = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry[] =>
  entries.filter((entry) => entry.phase === 'Published' && context.isUsable(entry)).sort(byPublication);

const isRotationRequested = ({ signingKey }: RotationContext): boolean => {
  const asked = requestedValue(ROTATE_REQUEST, signingKey.metadata);
  const hasKeys = (signingKey.status?.keys ?? []).length > 0;
  return hasKeys && asked !== undefined && asked !== signingKey.status?.lastHandledRotate;
};

/** Nothing signs, or what signs can't any more: neither schedule nor room is asked for. */
const isEmergency = (active: KeyEntry | undefined, context: RotationContext): boolean =>
  active === undefined || !context.isUsable(active);

/** When the standby takes over by schedule, in seconds; undefined where it never does by itself. */
const scheduledAt = (active: KeyEntry, standby: KeyEntry, context: RotationContext): number | undefined => {
  const knownToAll = secondsOf(standby.publishedAt) + context.publishBefore;
  const isStillWanted =
    !context.provided && !isUserProvided(active) && active.algorithm === context.signingKey.spec.algorithm;
  if (!isStillWanted) return knownToAll;
  return Math.max(knownToAll, secondsOf(active.activatedAt ?? active.publishedAt) + context.interval);
};

interface Rotation {
  readonly entries: KeyEntry[];
  readonly missing: number;
  readonly activation: Activation | undefined;
  readonly nextAt: number | undefined;
}

/** The key that may sign next: one that the status has shown to verifiers, be it by a moment. */
const shownStandbyOf = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry | undefined => {
  const shown = (context.signingKey.status?.keys ?? []).filter(({ phase }) => phase === 'Published');
  return standbysOf(entries, context).find(({ kid }) => shown.some((entry) => entry.kid === kid));
};

/** Lets the standby take over where it is time, and sees that another stands by. */
const rotate = (before: readonly KeyEntry[], context: RotationContext): Rotation => {
  const active = activeOf(before);
  const emergency = isEmergency(active, context);
  const isFull = before.length + 2 > MAX_KEYS && !emergency;
  const urgent = emergency || (isRotationRequested(context) && !isFull);
  const due = (standby: KeyEntry | undefined): number | undefined => {
    if (!standby || isFull) return undefined;
    return urgent || !active ? context.seconds : scheduledAt(active, standby, context);
  };
  const isDue = (at: number | undefined): boolean => at !== undefined && at <= context.seconds;
  const standby = shownStandbyOf(before, context);
  const at = due(standby);
  const wanted = emergency || isDue(at) ? 2 : 1;
  const published = context.provided
    ? { entries: publishProvidedKey(before, context), missing: 0 }
    : publishGenerated(before, context, wanted);
  const next = isDue(at) ? standby : undefined;
  if (!next) return { ...published, activation: undefined, nextAt: at };
  const entries = published.entries.map((entry) => {
    if (entry.kid === next.kid) return activate(entry, context);
    return entry.kid === active?.kid ? retire(entry, context) : entry;
  });
  const canWait = !emergency || before.every(({ activatedAt }) => activatedAt === undefined);
  const activation = { kid: next.kid, canWait };
  return { entries, missing: published.missing, activation, nextAt: nextRotationAt(entries, context) };
};

const nextRotationAt = (entries: readonly KeyEntry[], context: RotationContext): number | undefined => {
  const active = activeOf(entries);
  const [standby] = standbysOf(entries, context);
  return active && standby && scheduledAt(active, standby, context);
};

/** More than one may stand by after a rebuild: the oldest stays, and a second one where the first is about to sign. */
const retireSurplus = (entries: readonly KeyEntry[], context: RotationContext): KeyEntry[] => {
  const kept = standbysOf(entries, context).slice(0, isEmergency(activeOf(entries), context) ? 2 : 1);
  return entries.map((entry) =>
    kept.length > 0 && entry.phase === 'Published' && !kept.includes(entry) ? retire(entry, context) : entry,
  );
};

const handledRotate = (rotated: boolean, context: RotationContext): string | undefined => {
  const { status, metadata } = context.signingKey;
  const asked = requestedValue(ROTATE_REQUEST, metadata);
  // A brought key has nothing to rotate to: the wish is not kept for the day it has.
  const isHandled = rotated || context.provided !== undefined || !isRotationRequested(context);
  return asked !== undefined && isHandled ? asked : status?.lastHandledRotate;
};

const keptIn = ({ labels, annotations, retired, compromised }: KeySecret) => ({
  labels,
  annotations,
  retired,
  compromised,
});

const changesOf = (entries: readonly KeyEntry[], context: RotationContext): KeySecretChange[] => {
  const { name } = context.signingKey.metadata;
  const retiredEntries = entries
    .filter(({ phase, kid }) => phase === 'Retired' && !context.compromised.has(kid))
    .map(({ secretRef: _, ...rest }) => rest);
  // Those that specs name come first: it is the remembered ones that would have to go.
  const compromised = [...context.compromised].slice(0, MAX_COMPROMISED).sort();
  return entries.flatMap((entry) => {
    const secret = context.ownSecrets.get(keySecretName(name, entry.kid));
    if (entry.phase === 'Retired' || secret?.key === undefined) return [];
    const labels = { ...secret.labels, ...keySecretLabels(name) };
    const annotations = { ...secret.annotations, ...keySecretAnnotations(entry) };
    const retired = entry.phase === 'Active' ? retiredEntries : [];
    const wanted = { labels, annotations, retired, compromised };
    return canonicalJson(wanted) === canonicalJson(keptIn(secret)) ? [] : [{ secret, ...wanted }];
  });
};

const requeueAt = (
  entries: readonly KeyEntry[],
  nextAt: number | undefined,
  context: RotationContext,
): number | undefined => {
  const removals = entries
    .filter(({ phase }) => phase === 'Retired')
    .map((entry) => removableAt(entry, context) ?? context.seconds + ASK_AGAIN_SECONDS);
  const times = [...removals, ...(nextAt === undefined ? [] : [nextAt])].filter((at) => at > context.seconds);
  return times.length === 0 ? undefined : Math.min(...times) * 1000;
};

/**
 * Decides over the keys of a SigningKey (spec §2.5): publish before signing, one standby at all times, retire,
 * remove once no good token names the key, rebuild what the status lost. Pure; equal observations give equal plans,
 * and an observation of what a plan has made gives an empty one.
 */
export const planSigningKey = (observation: SigningKeyObservation): SigningKeyPlan => {
  const context = buildRotationContext(observation);
  const { signingKey } = context;
  const known = retireDoubles(retireCompromised(knownEntries(context), context), context);
  const rotation = rotate(retireUnfitStandbys(known, context), context);
  const settled = settleRetired(retireSurplus(rotation.entries, context), context);
  const entries = dropBeyondLimit(settled).sort(byPublication);
  const lastHandledRotate = handledRotate(rotation.activation !== undefined, context);
  const status: SigningKeyStatus = {
    keys: entries,
    ...(lastHandledRotate !== undefined && { lastHandledRotate }),
    observedGeneration: signingKey.metadata.generation ?? 0,
    conditions: signingKeyConditions(entries, context),
  };
  const isSame = canonicalJson(status) === canonicalJson(signingKey.status);
  return {
    generate: Array.from({ length: rotation.missing }, () => signingKey.spec.algorithm),
    status: isSame ? undefined : status,
    activation: rotation.activation,
    change: changesOf(entries, context),
    remove: findSpentSecrets(entries, context),
    requeueAt: requeueAt(entries, rotation.nextAt, context),
  };
};

import { API_VERSION, findCondition, type OwnerReference } from '../../api/meta.ts';
import { TOKEN_CLAIM } from '../../api/reserved-claims.ts';
import { secondsOf } from '../../api/time.ts';
import type { Token } from '../../api/token.ts';
import { heldText } from '../held-metadata.ts';
import { controllerOf, MADE_AS_ANNOTATION, OWN_NAME_LABEL } from '../own-mark.ts';
import { currentExpiration, nextTokenId, SECRET_ANNOTATIONS, secretNameOf } from './declared-token.ts';
import { leftoversOf, type SecretContent, secretContentOf } from './secret-content.ts';
import type { ObservedJwt, ObservedSecret, SecretController } from './token-observation.ts';

type Texts = Readonly<Record<string, string>>;

/** The names whose values are not as wanted; values may be as caches hold them. */
const namesOfDifferent = (found: Texts, wanted: Texts): string[] =>
  Object.entries(wanted).flatMap(([name, value]) => {
    const text = Object.hasOwn(found, name) ? found[name] : undefined;
    return text !== undefined && heldText(text) === heldText(value) ? [] : [name];
  });

/** They come with the next write of a Secret of an earlier version: no write is made for them alone. */
const MARKS: readonly string[] = [OWN_NAME_LABEL, MADE_AS_ANNOTATION, SECRET_ANNOTATIONS.wrote];

/** The fields of a Secret, beside its JWT, that are not as the operator writes them, as `kubectl` names them. */
export const findDeviations = (secret: ObservedSecret, content: SecretContent): string[] => {
  const leftovers = leftoversOf(secret, content);
  const isWanted = (name: string): boolean => secret.marking !== 'Legacy' || !MARKS.includes(name);
  const labels = namesOfDifferent(secret.labels, content.labels).filter(isWanted);
  const annotations = namesOfDifferent(secret.annotations, content.annotations).filter(isWanted);
  return [
    ...[...labels, ...leftovers.labels].map((name) => `metadata.labels["${name}"]`),
    ...[...annotations, ...leftovers.annotations].map((name) => `metadata.annotations["${name}"]`),
    ...(secret.controller === 'Token' ? [] : ['metadata.ownerReferences']),
    ...leftovers.data.map((name) => `data["${name}"]`),
  ];
};

/** The most fields that a message names. */
const MAX_NAMED = 8;

/** The message of condition `SecretOverwritten`: names of fields only, so that it is the same as long as the fields are. */
export const overwrittenMessage = (secret: string, fields: readonly string[]): string => {
  const more = fields.length - MAX_NAMED;
  const named = [...fields.slice(0, MAX_NAMED), ...(more > 0 ? [`${more} more`] : [])].join(', ');
  return `others change ${named} of Secret "${secret}" whenever the operator writes it: an admission policy, a webhook or another controller. Exempt the Secret from it; the operator writes these fields again with the next JWT`;
};

/** The message of a Token's condition `SecretOverwritten`; undefined if it does not have it. */
export const recordedOverwriting = ({ status }: Token): string | undefined =>
  findCondition(status?.conditions, 'SecretOverwritten')?.message;

/** Whether the status says that others keep changing these fields: nothing is written for them alone any more. */
const isKnownOverwritten = (token: Token, fields: readonly string[]): boolean =>
  recordedOverwriting(token) === overwrittenMessage(secretNameOf(token), fields);

const isCurrentJwt = ({ claims, kid }: ObservedJwt, token: Token): boolean => {
  const { id, keyID, issuedAt } = token.status ?? {};
  return (
    claims.jti === id &&
    kid === keyID &&
    claims.iat === (issuedAt === undefined ? undefined : secondsOf(issuedAt)) &&
    claims.exp === currentExpiration(token)
  );
};

/** What is wrong with a Secret: the JWT (`Content`), or only its metadata and leftovers (`Metadata`), unless others keep changing them. */
export type SecretFault = 'Content' | 'Metadata' | undefined;

/**
 * What is wrong with a Secret that the Token owns. If its data was not read, `managedFields` decide: the JWT is taken to be there if
 * the operator wrote the data key last and the annotation names the current `jti` (docs/decisions/0004).
 */
export const findSecretFault = (token: Token, secret: ObservedSecret): SecretFault => {
  const status = token.status ?? {};
  const content = secretContentOf(token, status);
  const { jwt: dataKey } = content.dataKeys;
  const hasJwt = secret.jwts
    ? secret.jwts.some((jwt) => jwt.dataKey === dataKey && isCurrentJwt(jwt, token))
    : secret.fields.managedDataKeys.includes(dataKey) &&
      secret.annotations[SECRET_ANNOTATIONS.tokenId] === status.id;
  if (!hasJwt) return 'Content';
  const fields = findDeviations(secret, content);
  return fields.length === 0 || isKnownOverwritten(token, fields) ? undefined : 'Metadata';
};

/** Whether a Secret's data has to be read: its metadata names the next JWT, or differs from what the operator wrote. */
export const needsContent = (token: Token, secret: ObservedSecret): boolean =>
  secret.owned &&
  secret.jwts === undefined &&
  (secret.annotations[SECRET_ANNOTATIONS.tokenId] === nextTokenId(token) ||
    (secret.name === secretNameOf(token) && findSecretFault(token, secret) !== undefined));

/** What the controller reference of a Secret says about a Token. */
export const secretControllerOf = (
  { metadata }: Token,
  references: readonly OwnerReference[] | undefined,
): SecretController => {
  const controller = controllerOf(references);
  if (controller === undefined) return 'None';
  if (controller.uid === metadata.uid) return 'Token';
  const { apiVersion, kind, name } = controller;
  return apiVersion === API_VERSION && kind === 'Token' && name === metadata.name ? 'Predecessor' : 'Other';
};

/** Versions without marks said neither the name of the Secret nor that of the Token: only where a Token's Secret is by default, or was. */
const isWhereExpected = ({ metadata, status }: Token, { name }: ObservedSecret): boolean =>
  name === metadata.name || name === status?.secretRef?.name;

/**
 * Whether the metadata of a Secret that no other resource controls says that it was made for this Token, as that of one that lost its
 * owner reference or was restored from a backup does. Only a JWT in it can prove it ({@link provesOwnership}): it has to be read.
 */
export const mayBeTakenOver = (token: Token, secret: ObservedSecret): boolean => {
  const { controller, marking, annotations } = secret;
  if (secret.terminating || (controller !== 'None' && controller !== 'Predecessor')) return false;
  return (
    marking === 'Own' ||
    (marking === 'Legacy' &&
      annotations[SECRET_ANNOTATIONS.tokenId] !== undefined &&
      isWhereExpected(token, secret))
  );
};

/** Whether one of the JWTs in a Secret, which this issuer signed, was issued for the Token of that namespace and name, whether it has expired or not. */
export const provesOwnership = ({ metadata }: Token, jwts: readonly ObservedJwt[]): boolean =>
  jwts.some(({ claims }) => claims[TOKEN_CLAIM] === `${metadata.namespace}/${metadata.name}`);

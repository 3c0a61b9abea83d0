import { API_VERSION, type OwnerReference } from '../../api/meta.ts';
import { TOKEN_CLAIM } from '../../api/reserved-claims.ts';
import type { Token } from '../../api/token.ts';
import { SECRET_ANNOTATIONS } from '../delivered-secret.ts';
import { controllerOf } from '../own-mark.ts';
import type { ObservedJwt, ObservedSecret, SecretController } from './token-observation.ts';

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

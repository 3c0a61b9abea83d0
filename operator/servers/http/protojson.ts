import type { TokenRequest } from '../../domain/client/token-request.ts';
import { ownerOf, type TokenRecord } from '../../domain/record/token-record.ts';
import { IssuerFailure } from '../../issuer/failure.ts';
import type { DeletedTokens, IssuedAccessToken } from '../../issuer/use-cases.ts';
import { objectOf } from './body.ts';

/** A message in ProtoJSON (protobuf.dev/programming-guides/json): camelCase names, int64 as strings, empty fields only if requested. */
type Fields = Readonly<Record<string, unknown>>;

/** All fields, or only those that are not empty. */
const present = (fields: Fields, showsEmpty: boolean): Fields => {
  if (showsEmpty) return fields;
  const isEmpty = (value: unknown): boolean =>
    value === null || value === '' || value === '0' || (Array.isArray(value) && value.length === 0);
  const shown: Record<string, unknown> = {};
  for (const name of Object.keys(fields)) if (!isEmpty(fields[name])) shown[name] = fields[name];
  return shown;
};

/** The Token message of a record. */
export const tokenJson = (record: TokenRecord, showsEmpty: boolean): Fields =>
  present(
    {
      id: record.id,
      version: String(record.version),
      name: record.name,
      owner: ownerOf(record),
      issuedAt: String(record.issuedAt),
      audience: record.audience,
      scope: record.scope,
      expiration: String(record.expiration ?? 0),
      clientId: record.clientID,
      originalTokenClaims: record.originalTokenClaims ?? null,
      blacklisted:
        record.blacklistedAt === undefined
          ? null
          : present({ flag: true, timestamp: String(record.blacklistedAt) }, showsEmpty),
      subject: record.subject,
    },
    showsEmpty,
  );

/** The CreateTokenResponse message of a token. */
export const createdJson = (token: IssuedAccessToken, showsEmpty: boolean): Fields =>
  present(
    {
      accessToken: token.accessToken,
      tokenType: 'Bearer',
      expiresIn: String(token.expiresInSeconds),
      scope: token.scope,
    },
    showsEmpty,
  );

/** A DeleteTokensResponse message, with all fields: an answer is never `{}` (spec §5). */
export const deletedJson = ({ blacklisted, deleted }: DeletedTokens): Fields => ({
  blacklistedCount: String(blacklisted),
  deletedCount: String(deleted),
});

const malformed = (name: string, wanted: string): IssuerFailure =>
  new IssuerFailure('Malformed', `${name} has to be ${wanted}`);

/** A member by its ProtoJSON name or that of the proto; null counts as absent. */
const memberOf = (message: Fields, name: string): unknown => {
  const original = name.replaceAll(/[A-Z]/gu, (letter) => `_${letter.toLowerCase()}`);
  const [value, other] = [message[name], original === name ? undefined : message[original]];
  if (value !== undefined && other !== undefined) throw malformed(name, 'given once');
  return value ?? other ?? undefined;
};

const textOf = (message: Fields, name: string): string => {
  const value = memberOf(message, name) ?? '';
  if (typeof value !== 'string') throw malformed(name, 'a text');
  return value;
};

const textsOf = (message: Fields, name: string): string[] => {
  const value = memberOf(message, name) ?? [];
  if (!Array.isArray(value) || !value.every((item) => typeof item === 'string')) {
    throw malformed(name, 'a list of texts');
  }
  return value;
};

/** An int64, as a number or a string. */
const secondsOf = (message: Fields, name: string): number => {
  const value = memberOf(message, name) ?? 0;
  const text = String(value);
  const isNumber = typeof value === 'number' || typeof value === 'string';
  if (!isNumber || !/^-?[0-9]{1,19}$/u.test(text)) throw malformed(name, 'a whole number of seconds');
  return Math.min(Number(text), Number.MAX_SAFE_INTEGER);
};

/** Reads a CreateTokenRequest message; unknown members are ignored. @throws IssuerFailure `Malformed` */
export const readCreateRequest = (text: string): TokenRequest => {
  const message = objectOf(text);
  return {
    clientID: textOf(message, 'clientId'),
    clientSecret: textOf(message, 'clientSecret'),
    assertionType: textOf(message, 'clientAssertionType'),
    assertion: textOf(message, 'clientAssertion'),
    grantType: textOf(message, 'grantType'),
    audience: textsOf(message, 'audience'),
    scope: textsOf(message, 'scope'),
    expiration: Math.max(0, secondsOf(message, 'expiration')),
    tokenName: textOf(message, 'tokenName'),
  };
};

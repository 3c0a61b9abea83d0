import { type Awaitable, mapAwaitable } from '../async/map-awaitable.ts';
import { introspectionOf, mayIntrospect } from '../domain/client/introspection-policy.ts';
import type { SignedClaims } from '../domain/jwt/jwt-checks.ts';
import { refused } from './failure.ts';
import type { ValidateJwt, ValidJwt } from './registry/validate-jwt.ts';
import type {
  AuthenticateClient,
  AuthenticatedClient,
  Call,
  ClientCredentials,
  IntrospectToken,
} from './use-cases.ts';

export interface IntrospectTokenOptions {
  readonly authenticateClient: AuthenticateClient;
  readonly validateJwt: ValidateJwt;
}

/** A client that asks about tokens: one that is suspended may not. @throws IssuerFailure */
export const authenticateCaller = (
  authenticateClient: AuthenticateClient,
  credentials: ClientCredentials,
  call: Call,
): Awaitable<AuthenticatedClient> =>
  mapAwaitable(authenticateClient(credentials, call), (authenticated) => {
    if (authenticated.client.spec.suspended !== true) return authenticated;
    throw refused('unauthorized_client', 'the client is suspended');
  });

/** What is told of a good JWT: the same object for the same claims, as long as the signature is remembered and the record agrees. */
const createIntrospectionMemo = (): ((validation: ValidJwt) => SignedClaims) => {
  const told = new WeakMap<SignedClaims, SignedClaims>();
  return ({ record, claims }) => {
    const known = told.get(claims);
    if (known && known.exp === (record.expiration ?? claims.exp)) return known;
    const tells = Object.freeze(introspectionOf(record, claims));
    told.set(claims, tells);
    return tells;
  };
};

/** Makes {@link IntrospectToken} (spec §5): what is bad, and what the caller may not know of, look the same. */
export const createIntrospectToken = ({
  authenticateClient,
  validateJwt,
}: IntrospectTokenOptions): IntrospectToken => {
  const tell = createIntrospectionMemo();
  return (token, credentials, call) =>
    mapAwaitable(authenticateCaller(authenticateClient, credentials, call), ({ client }) =>
      mapAwaitable(validateJwt(token, call), (validation) => {
        if (validation.kind === 'invalid') return undefined;
        return mayIntrospect(client, validation.record, validation.claims) ? tell(validation) : undefined;
      }),
    );
};

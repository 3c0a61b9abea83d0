import { type Awaitable, whenKnown } from '../async/map-awaitable.ts';
import { introspectionOf, mayIntrospect } from '../domain/client/introspection-policy.ts';
import type { SignedClaims } from '../domain/jwt/jwt-checks.ts';
import { refused } from './failure.ts';
import type { GoodJwt, JudgeJwt } from './registry/validate-jwt.ts';
import type {
  AuthenticateClient,
  AuthenticatedClient,
  Call,
  ClientCredentials,
  IntrospectToken,
} from './use-cases.ts';

export interface IntrospectTokenOptions {
  readonly authenticateClient: AuthenticateClient;
  readonly judge: JudgeJwt;
}

/** A client that asks about tokens: one that is suspended may not. @throws IssuerFailure */
export const authenticateCaller = (
  authenticateClient: AuthenticateClient,
  credentials: ClientCredentials,
  call: Call,
): Awaitable<AuthenticatedClient> =>
  whenKnown(authenticateClient(credentials, call), (authenticated) => {
    if (authenticated.client.spec.suspended !== true) return authenticated;
    throw refused('unauthorized_client', 'the client is suspended');
  });

/** What is told of a good JWT: the same object for the same claims, as long as the signature is remembered and the record agrees. */
const createTell = (): ((judgement: GoodJwt) => SignedClaims) => {
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
  judge,
}: IntrospectTokenOptions): IntrospectToken => {
  const tell = createTell();
  return (token, credentials, call) =>
    whenKnown(authenticateCaller(authenticateClient, credentials, call), ({ client }) =>
      whenKnown(judge(token, call), (judgement) => {
        if (judgement.kind === 'bad') return undefined;
        return mayIntrospect(client, judgement.record, judgement.claims) ? tell(judgement) : undefined;
      }),
    );
};

import { type Awaitable, mapAwaitable } from '../async/map-awaitable.ts';
import { introspectionOf, mayIntrospect } from '../domain/client/client-rules.ts';
import { refused } from './failure.ts';
import type { ValidateJwt } from './registry/validate-jwt.ts';
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

/** Authenticates a client that introspects or revokes; a suspended one may do neither (spec §5). @throws IssuerFailure */
export const authenticateCaller = (
  authenticateClient: AuthenticateClient,
  credentials: ClientCredentials,
  call: Call,
): Awaitable<AuthenticatedClient> =>
  mapAwaitable(authenticateClient(credentials, call), (authenticated) => {
    if (authenticated.client.spec.suspended !== true) return authenticated;
    throw refused('unauthorized_client', 'the client is suspended');
  });

/** Makes {@link IntrospectToken} (spec §5): an invalid token and one that the caller may not know about get the same answer. */
export const createIntrospectToken =
  ({ authenticateClient, validateJwt }: IntrospectTokenOptions): IntrospectToken =>
  (token, credentials, call) =>
    mapAwaitable(authenticateCaller(authenticateClient, credentials, call), ({ client }) =>
      mapAwaitable(validateJwt(token, call, client), (validation) => {
        if (validation.kind === 'invalid') return undefined;
        const { record, claims } = validation;
        return mayIntrospect(client, record, claims) ? introspectionOf(record, claims) : undefined;
      }),
    );

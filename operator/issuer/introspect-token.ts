import { introspectionOf, mayIntrospect } from '../domain/introspection-policy.ts';
import { refused } from './failure.ts';
import type { JudgeJwt } from './registry/judge.ts';
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
export const authenticateCaller = async (
  authenticateClient: AuthenticateClient,
  credentials: ClientCredentials,
  call: Call,
): Promise<AuthenticatedClient> => {
  const authenticated = await authenticateClient(credentials, call);
  if (authenticated.client.spec.suspended === true) {
    throw refused('unauthorized_client', 'the client is suspended');
  }
  return authenticated;
};

/** Makes {@link IntrospectToken} (contract §5): what is bad, and what the caller may not know of, look the same. */
export const createIntrospectToken =
  ({ authenticateClient, judge }: IntrospectTokenOptions): IntrospectToken =>
  async (token, credentials, call) => {
    const { client } = await authenticateCaller(authenticateClient, credentials, call);
    const judgement = await judge(token, call.signal);
    if (judgement.kind === 'bad') return undefined;
    const { record, claims } = judgement;
    return mayIntrospect(client, record, claims) ? introspectionOf(record, claims) : undefined;
  };

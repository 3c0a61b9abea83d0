import { type ObjectRef, refOf } from '../../api/meta.ts';
import type { OAuthClient } from '../../api/oauth-client.ts';
import { type IssuerUrls, isOfAnotherIssuer, issuerOf } from '../../domain/client/client-rules.ts';
import { type Installation, watches } from '../../domain/client/installation.ts';

/** Which OAuthClients this installation works on, with their Tokens and records (spec §2.4, Issuer). */
export interface OwnClients {
  has(client: OAuthClient): boolean;
  /** Whether it says of a Token that its client, `<namespace>/<name>`, does not exist: another one may know the client. */
  mayMiss(client: string, token: ObjectRef): boolean;
}

/** Where there is no other installation. */
export const ALL_CLIENTS: OwnClients = { has: () => true, mayMiss: () => true };

export interface OwnClientsOptions {
  readonly urls: IssuerUrls;
  /** Of this installation; empty: all. */
  readonly watchNamespaces: readonly string[];
  /** The other installations; undefined while they are not known. */
  readonly others: () => readonly Installation[] | undefined;
}

/** A client whose issuer is not known yet waits for its registration if another installation watches its namespace. */
export const createOwnClients = ({ urls, watchNamespaces, others }: OwnClientsOptions): OwnClients => {
  const isAlone = (namespace: string): boolean =>
    others()?.every((other) => !watches(other, namespace)) ?? false;
  return {
    has: (client) =>
      issuerOf(client) === undefined ? isAlone(client.metadata.namespace) : !isOfAnotherIssuer(urls, client),
    mayMiss: (client, token) =>
      watches({ watchNamespaces }, refOf(client).namespace) || isAlone(token.namespace),
  };
};

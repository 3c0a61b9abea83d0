import type { SecretClient } from './http-clients.ts';
import type { HttpPlace } from './http-server.ts';

const post = (
  { issuer, fetch }: HttpPlace,
  path: string,
  form: Readonly<Record<string, string>>,
): Promise<Response> => fetch(`${issuer}${path}`, { method: 'POST', body: new URLSearchParams(form) });

const credentialsOf = ({ id, secret }: SecretClient): Record<string, string> => ({
  client_id: id,
  client_secret: secret,
});

/** A token by client_credentials. @throws Error where it is rejected */
export const obtainToken = async (
  place: HttpPlace,
  client: SecretClient,
  parameters: Readonly<Record<string, string>>,
): Promise<string> => {
  const form = { grant_type: 'client_credentials', ...credentialsOf(client), ...parameters };
  const answer = await post(place, '/oauth/token', form);
  const body = (await answer.json()) as { access_token?: string; error?: string };
  if (body.access_token === undefined) throw new Error(`no token: ${answer.status} ${body.error}`);
  return body.access_token;
};

/** Revokes a token of the client (RFC 7009). @throws Error where that is rejected */
export const revokeToken = async (place: HttpPlace, client: SecretClient, token: string): Promise<void> => {
  const answer = await post(place, '/oauth/revoke', { ...credentialsOf(client), token });
  if (answer.status !== 200) throw new Error(`not revoked: ${answer.status} ${await answer.text()}`);
};

/** The same JWT with one character of its signature changed, in its middle, where it can't be padding. */
export const tampered = (jwt: string): string => {
  const at = jwt.length - 40;
  return `${jwt.slice(0, at)}${jwt[at] === 'A' ? 'B' : 'A'}${jwt.slice(at + 1)}`;
};

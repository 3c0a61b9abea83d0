import { withoutFinalNewline } from '../../domain/client/client-secret.ts';
import type { IDAndSecret } from '../../domain/client/token-request.ts';
import { refused } from '../../issuer/failure.ts';
import type { ClientCredentials } from '../../issuer/use-cases.ts';
import { type Parameters, single } from './body.ts';

const BASIC = /^basic +([A-Za-z0-9+/]+={0,2})$/iu;
const utf8 = new TextDecoder('utf-8', { fatal: true });

/** The two parts of a Basic header, as they were sent. The first colon separates them (RFC 7617 §2): an ID that has one is to be encoded. */
const splitBasic = (authorization: string): IDAndSecret => {
  try {
    const text = utf8.decode(Buffer.from(BASIC.exec(authorization)?.[1] ?? '', 'base64'));
    const colon = text.indexOf(':');
    if (colon >= 0) return { clientID: text.slice(0, colon), clientSecret: text.slice(colon + 1) };
  } catch {
    // Not UTF-8.
  }
  throw refused('invalid_client', 'the Authorization header is no Basic credentials');
};

/** What a part may mean: decoded as a form value (RFC 6749 §2.3.1), then raw if that differs, for clients that omit the encoding. */
const meaningsOf = (raw: string): readonly string[] => {
  if (!raw.includes('%') && !raw.includes('+')) return [raw];
  try {
    const decoded = decodeURIComponent(raw.replaceAll('+', ' '));
    return decoded === raw ? [raw] : [decoded, raw];
  } catch {
    return [raw];
  }
};

const isBasic = (authorization: string | undefined): authorization is string =>
  authorization !== undefined && /^basic(?: |$)/iu.test(authorization);

/** Printable ASCII without spaces (spec §2.4). */
const CLIENT_ID = /^[\x21-\x7e]+$/u;

/** What an ID may mean. One that no client can have is left out if there is another. */
const idsOf = (raw: string): readonly string[] => {
  const ids = meaningsOf(raw).filter((id) => CLIENT_ID.test(id));
  return ids.length > 0 ? ids : [raw];
};

/** What a Basic header may mean, in the order in which to try it: some clients encode the ID and not the secret. */
const readBasic = ({ clientID, clientSecret }: IDAndSecret): IDAndSecret[] => {
  const secrets = meaningsOf(clientSecret);
  return idsOf(clientID).flatMap((id) => secrets.map((secret) => ({ clientID: id, clientSecret: secret })));
};

/**
 * The credentials of a request, by one method only (RFC 6749 §2.3); a Bearer header is ignored. Basic with an empty secret beside an
 * assertion names the client alone. @throws IssuerFailure
 */
export const credentialsOf = (
  authorization: string | undefined,
  parameters: Parameters,
): ClientCredentials => {
  const body: ClientCredentials = {
    clientID: single(parameters, 'client_id'),
    clientSecret: single(parameters, 'client_secret'),
    assertionType: single(parameters, 'client_assertion_type'),
    assertion: single(parameters, 'client_assertion'),
  };
  const basic = isBasic(authorization) ? splitBasic(authorization) : undefined;
  const secrets = [body.clientSecret, body.assertion, basic?.clientSecret ?? ''];
  const isEmptyBeside = basic?.clientSecret === '' && body.clientSecret !== '';
  if (isEmptyBeside || secrets.filter((secret) => secret !== '').length > 1) {
    throw refused('invalid_request', 'more than one way of client authentication is used');
  }
  if (basic === undefined) return body;
  const [first, ...others] = readBasic(basic).filter(({ clientID }) =>
    ['', withoutFinalNewline(clientID)].includes(withoutFinalNewline(body.clientID)),
  );
  if (first === undefined) {
    throw refused('invalid_request', 'client_id differs from the one in the Authorization header');
  }
  return { ...body, ...first, ...(others.length > 0 && { alternatives: others }) };
};

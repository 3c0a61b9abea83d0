/** Port of a scheme if the URL has none. */
const DEFAULT_PORTS: Readonly<Record<string, string>> = { 'https:': '443', 'http:': '80' };

const decoded = (path: string): string => {
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
};

/**
 * Where a URL leads, so that two ways to write the same issuer are equal: case and final dot of the host, default port, dot segments,
 * encoding, repeated and final slashes of the path (RFC 3986 §6.2.2, §6.2.3). The scheme is left out: one port has one issuer.
 */
const placeOf = (text: string): string => {
  if (!URL.canParse(text)) return text;
  const { protocol, hostname, port, pathname } = new URL(text);
  const path = decoded(pathname).split('/').filter(Boolean).join('/');
  return `${hostname.replace(/\.$/u, '')}:${port || DEFAULT_PORTS[protocol]}/${path}`;
};

/**
 * Whether two texts are the same URL of an external issuer but for one slash at the end: the only difference that an issuer may have
 * between its discovery document, the `iss` of its JWTs and our configuration (docs/decisions/0024).
 */
export const isSameButForSlash = (a: string, b: string): boolean => a === b || a === `${b}/` || b === `${a}/`;

/** Whether two URLs name the same issuer, however they are written. */
export const isSameIssuer = (a: string, b: string): boolean => a === b || placeOf(a) === placeOf(b);

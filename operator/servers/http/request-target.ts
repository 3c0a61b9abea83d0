/** A request target: the path and the query, as they were sent. */
export interface RequestTarget {
  readonly path: string;
  /** Without the question mark; '' if there is none. */
  readonly query: string;
}

/** Scheme and authority of the absolute form. One with user information is no such target (RFC 9110 §4.2.4), nor one without a host. */
const ORIGIN = /^https?:\/\/[^\s/?#@\\]+(?=[/?]|$)/iu;

/** The absolute form (RFC 9112 §3.2.2) in origin form, whatever authority it names; every other target unchanged. */
const originFormOf = (target: string): string => {
  // Most begin with a slash.
  if (target.startsWith('/')) return target;
  const origin = ORIGIN.exec(target)?.[0];
  if (origin === undefined) return target;
  const rest = target.slice(origin.length);
  return rest.startsWith('/') ? rest : `/${rest}`;
};

/** Reads the target of a request line. Nothing in it is decoded or resolved. */
export const targetOf = (target = ''): RequestTarget => {
  const sent = originFormOf(target);
  const end = sent.indexOf('?');
  return end < 0 ? { path: sent, query: '' } : { path: sent.slice(0, end), query: sent.slice(end + 1) };
};

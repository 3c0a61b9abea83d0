import { GROUP, type KubeObject } from '../../api/meta.ts';
import { type IssuerUrls, isIssuerUrl } from './client-rules.ts';
import { isSameIssuer } from './issuer-identity.ts';

/** Annotations by which the Lease of the leader election says which installation it is of. */
const ISSUER_ANNOTATION = `${GROUP}/issuer`;
const NAMESPACES_ANNOTATION = `${GROUP}/watch-namespaces`;

/** The longest URL that a configuration may have. */
const MAX_URL = 1024;
/** An installation counts for others while its Lease was renewed in this time: as long as an upgrade or the move of a node may take. */
const LIVE_MS = 5 * 60_000;

/** The part of a Lease that is read. */
export interface InstallationLease extends KubeObject {
  readonly spec?: { readonly holderIdentity?: string; readonly renewTime?: string };
}

/** An installation, as the Lease of its leader election shows it. */
export interface Installation {
  /** Its own namespace. */
  readonly namespace: string;
  /** Its issuer URL; undefined for a release that does not announce it. */
  readonly url: string | undefined;
  /** The namespaces that it watches; empty: all, also where it does not announce them. */
  readonly watchNamespaces: readonly string[];
  /** Whether a replica holds the Lease; one that ends releases it. */
  readonly isRunning: boolean;
  /** RFC 3339; the API server sets it. */
  readonly since: string;
}

/** An installation other than this one, with the kids of its SigningKeys. */
export interface OtherInstallation extends Installation {
  readonly kids: ReadonlySet<string>;
}

/** What the Lease of an installation announces. */
export const announcementOf = (own: {
  readonly url: string;
  readonly watchNamespaces: readonly string[];
}): Readonly<Record<string, string>> => ({
  [ISSUER_ANNOTATION]: own.url,
  [NAMESPACES_ANNOTATION]: own.watchNamespaces.join(','),
});

/** The installation of a Lease; undefined if the Lease was not renewed lately. `now` in milliseconds since the Unix epoch. */
export const installationOf = (
  { metadata, spec = {} }: InstallationLease,
  now: number,
): Installation | undefined => {
  const renewedAt = Date.parse(spec.renewTime ?? '');
  if (!(renewedAt >= now - LIVE_MS)) return undefined;
  const annotations: Readonly<Record<string, string>> = metadata.annotations ?? {};
  const url = annotations[ISSUER_ANNOTATION] ?? '';
  return {
    namespace: metadata.namespace,
    url: url === '' || url.length > MAX_URL ? undefined : url,
    watchNamespaces: (annotations[NAMESPACES_ANNOTATION] ?? '').split(',').filter(Boolean),
    isRunning: (spec.holderIdentity ?? '') !== '',
    since: metadata.creationTimestamp,
  };
};

/** Whether an installation watches a namespace. */
export const watches = (
  { watchNamespaces }: Pick<Installation, 'watchNamespaces'>,
  namespace: string,
): boolean => watchNamespaces.length === 0 || watchNamespaces.includes(namespace);

/** What the age of an installation is compared by. The API server sets it, so that nobody can make a Lease older. */
export type InstallationAge = Pick<Installation, 'namespace' | 'since'>;

const isOlder = (a: InstallationAge, b: InstallationAge): boolean =>
  a.since === b.since ? a.namespace < b.namespace : a.since < b.since;

/** An installation that must not run beside this one. */
export interface InstallationConflict {
  readonly why: string;
  /** Whether this one has to end: it is the younger one, by its Lease. The older one goes on, whatever a younger Lease says. */
  readonly mustEnd: boolean;
}

/**
 * Which installation must not run beside this one (spec §6): one that runs has the same URL and is older, or has a URL that this one
 * says it had before. Undefined if there is none. One for which this installation has to end comes first. `own` is undefined as long
 * as it has no Lease: it is the youngest then.
 */
export const findInstallationConflict = (
  urls: IssuerUrls,
  own: InstallationAge | undefined,
  others: readonly Installation[],
): InstallationConflict | undefined => {
  let found: InstallationConflict | undefined;
  for (const other of others) {
    const { url, namespace, isRunning } = other;
    if (url === undefined || !isRunning) continue;
    const mustEnd = own === undefined || isOlder(other, own);
    if (isSameIssuer(url, urls.url)) {
      if (!mustEnd) continue;
      const why = `the installation in namespace ${namespace} has the same issuer.url ${url}: give each its own, or stop that one`;
      return { why, mustEnd };
    }
    if (!isIssuerUrl(urls, url)) continue;
    const why = `issuer.previousURLs has ${url}, the issuer.url of the installation that runs in namespace ${namespace}: stop that one, or remove the entry`;
    if (mustEnd) return { why, mustEnd };
    found ??= { why, mustEnd };
  }
  return found;
};

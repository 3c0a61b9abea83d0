import type { FastifyRequest } from 'fastify';
import { IssuerFailure } from '../../issuer/failure.ts';
import { checkIdFilter } from '../../issuer/id-filter.ts';

/** The names of a field in a query: as JSON has it, and as the proto does. */
type Names = readonly [json: string, proto: string];

const ID_FILTER: Names = ['idFilter', 'id_filter'];
const INCLUDE_BLACKLISTED: Names = ['includeBlacklisted', 'include_blacklisted'];

/** As grpc-gateway reads a bool. */
const TRUE: readonly string[] = ['1', 't', 'T', 'TRUE', 'true', 'True'];
const FALSE: readonly string[] = ['0', 'f', 'F', 'FALSE', 'false', 'False'];

const malformed = (message: string): IssuerFailure => new IssuerFailure('Malformed', message);

/** The query of a request's URL, read as a form. */
export const queryOf = ({ raw }: Pick<FastifyRequest, 'raw'>): URLSearchParams => {
  const url = raw.url ?? '';
  const at = url.indexOf('?');
  return new URLSearchParams(at < 0 ? '' : url.slice(at + 1));
};

const valuesOf = (query: URLSearchParams, [json, proto]: Names): string[] => [
  ...query.getAll(json),
  ...query.getAll(proto),
];

/** The ids that a query names. @throws IssuerFailure `Malformed` */
export const idFilterOf = (query: URLSearchParams): readonly string[] =>
  checkIdFilter(valuesOf(query, ID_FILTER));

/** Whether a query asks for blacklisted tokens too. @throws IssuerFailure `Malformed` */
export const includesBlacklisted = (query: URLSearchParams): boolean => {
  const [value = 'false', ...rest] = valuesOf(query, INCLUDE_BLACKLISTED);
  if (rest.length === 0 && TRUE.includes(value)) return true;
  if (rest.length === 0 && FALSE.includes(value)) return false;
  throw malformed('includeBlacklisted has to be true or false, once');
};

/** Refuses a query that names something besides a filter: passing a misspelt filter over would make it one for all. @throws IssuerFailure `Malformed` */
export const insistOnFilterAlone = (query: URLSearchParams): void => {
  for (const name of query.keys()) {
    if (!ID_FILTER.includes(name)) throw malformed('the query has a parameter other than idFilter');
  }
};

import { z } from 'zod';
import { validations } from './cel-rule.ts';
import { matches, type TextField } from './names.ts';

const HOST = '([A-Za-z0-9]([-.A-Za-z0-9]*[A-Za-z0-9])?|\\[[0-9A-Fa-f:.]+\\])(:[0-9]{1,5})?';
const CHARACTER = '([-._~!$&()*+,;=:@/A-Za-z0-9]|%[0-9A-Fa-f]{2})';
const QUERY = '([-._~!$&()*+,;=:@/?A-Za-z0-9]|%[0-9A-Fa-f]{2})';

/** A URL of at most 1,024 characters; `expected` says what it has to be, after its path. */
const urlText = ({ path, description }: TextField, pattern: string, expected: string) =>
  z
    .string()
    .min(1)
    .max(1024)
    .meta({ description, ...validations(matches(pattern, `${path} ${expected}`)) });

/** The URL of an OpenID provider (OpenID Connect Discovery 1.0 §3: https, no query, no fragment); a user name is rejected too. */
export const issuerURL = (field: TextField) =>
  urlText(
    field,
    `^https://${HOST}(/${CHARACTER}*)?$`,
    'must be an https URL without user name, query and fragment',
  );

/** The `issuer.url` of an installation, which has no trailing slash and may be http on loopback. Compared as text. */
export const installationURL = (field: TextField) =>
  urlText(
    field,
    `^https?://[^\\s?#@]*[^\\s?#@/]$`,
    'must be the issuer URL of an installation as its configuration has it: without user name, query, fragment and trailing slash',
  );

/** The URL of a document: https, no user name, no fragment; a query is what some providers tell key sets apart by. */
export const documentURL = (field: TextField) =>
  urlText(
    field,
    `^https://${HOST}(/${CHARACTER}*)?(\\?${QUERY}*)?$`,
    'must be an https URL without user name and fragment',
  );

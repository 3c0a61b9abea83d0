/** The secrets of a client, as its Secret holds them: both match, while a rotation is under way. */
export interface ClientSecrets {
  readonly current: string | undefined;
  readonly previous: string | undefined;
}

/** A shorter secret can be guessed, or found from its digest: one of 16 random letters and digits has 95 bits. */
const MIN_CHARACTERS = 16;

/** Suffix of the data key whose secret is accepted too. */
const PREVIOUS_SUFFIX = '_previous';
/** Data key in a Secret that the operator makes, beside the secret's own. */
export const CLIENT_ID_KEY = 'client_id';

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** A text without the newline (LF or CRLF) with which a file ends that it was read from. */
export const withoutFinalNewline = (text: string): string => text.replace(/\r?\n$/u, '');

const readValue = (base64: string | undefined): string | undefined => {
  if (base64 === undefined) return undefined;
  try {
    const text = withoutFinalNewline(utf8.decode(Buffer.from(base64, 'base64')));
    return text === '' ? undefined : text;
  } catch {
    return undefined;
  }
};

/**
 * Reads the data of a client's Secret (base64 values): the secret under `key` and the one under `<key>_previous`,
 * each {@link withoutFinalNewline}. What is missing, empty or no UTF-8 is undefined, and matches nothing.
 */
export const readClientSecrets = (
  data: Readonly<Record<string, string>> | undefined,
  key: string,
): ClientSecrets => ({
  current: readValue(data?.[key]),
  previous: readValue(data?.[`${key}${PREVIOUS_SUFFIX}`]),
});

/** The data keys of the secrets that are shorter than 16 characters; both match, so both count. */
export const findShortSecrets = ({ current, previous }: ClientSecrets, key: string): string[] =>
  [
    { key, secret: current },
    { key: `${key}${PREVIOUS_SUFFIX}`, secret: previous },
  ].flatMap(({ key: of, secret }) =>
    secret !== undefined && [...secret].length < MIN_CHARACTERS ? [of] : [],
  );

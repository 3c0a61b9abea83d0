import { promisify } from 'node:util';
import { brotliDecompress, gunzip, inflate, inflateRaw } from 'node:zlib';
import { OutboundError } from '../ports/outbound.ts';

type Decompress = (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const ungzip: Decompress = promisify(gunzip);
const unzlib: Decompress = promisify(inflate);
const unraw: Decompress = promisify(inflateRaw);

/** Whether a `deflate` body has the header of zlib (RFC 1950 §2.2), which RFC 9110 §8.4.1.2 asks for and some servers leave out. */
const isZlib = (bytes: Buffer): boolean => ((bytes[0] ?? 0) & 0x0f) === 8;

/** Content codings that are read although none is asked for (RFC 9110 §8.4.1). zstd is not among them: a frame may demand 128 MiB of memory. */
const DECOMPRESS: Readonly<Record<string, Decompress>> = {
  gzip: ungzip,
  'x-gzip': ungzip,
  deflate: (bytes, options) => (isZlib(bytes) ? unzlib : unraw)(bytes, options),
  br: promisify(brotliDecompress),
};

/** A token of a header (RFC 9110 §5.6.2) that may be in a message: nothing that a server makes up at length. */
const shown = (text: string): string =>
  /^[\w!#$&^.+/-]{1,64}$/u.test(text) ? JSON.stringify(text) : 'that is unknown';

/** A body, and the headers that say what it is; '' for one that is missing. */
interface ReceivedBody {
  readonly bytes: Buffer;
  readonly contentEncoding: string;
  readonly contentType: string;
}

/** Undoes the content coding, to at most `maxBytes`. @throws OutboundError that begins with `host` */
const decompress = async (
  { bytes, contentEncoding }: ReceivedBody,
  { host, maxBytes }: { readonly host: string; readonly maxBytes: number },
): Promise<Buffer> => {
  const coding = contentEncoding.trim().toLowerCase();
  if (coding === '' || coding === 'identity') return bytes;
  const run = Object.hasOwn(DECOMPRESS, coding) ? DECOMPRESS[coding] : undefined;
  if (run === undefined) {
    const readable = Object.keys(DECOMPRESS).join(', ');
    throw new OutboundError(
      `${host} answered with a Content-Encoding ${shown(coding)}, which is not read (${readable} are): serve it without`,
    );
  }
  try {
    return await run(bytes, { maxOutputLength: maxBytes });
  } catch (error) {
    const isTooLarge = (error as { code?: unknown }).code === 'ERR_BUFFER_TOO_LARGE';
    throw new OutboundError(
      isTooLarge
        ? `${host} answered with more than ${maxBytes} bytes`
        : `${host} answered with a body that is not compressed with ${coding}, as its Content-Encoding says`,
    );
  }
};

/**
 * Reads a body as JSON in UTF-8, whatever its content type is; a byte order mark is ignored, as RFC 8259 §8.1 permits, and a content
 * coding undone. @throws OutboundError whose message has nothing of the body
 */
export const decodeJson = async (
  body: ReceivedBody,
  limits: { readonly host: string; readonly maxBytes: number },
): Promise<unknown> => {
  const bytes = await decompress(body, limits);
  try {
    return JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    const [type = ''] = body.contentType.split(';', 1);
    const what = type.trim() === '' ? 'without a content type' : `of content type ${shown(type.trim())}`;
    throw new OutboundError(`${limits.host} answered with something ${what} that is no JSON`);
  }
};

/** A file can't be downloaded; the message names the host and the reason, for the person at the terminal. */
export class DownloadError extends Error {
  override readonly name = 'DownloadError';
  /** Whether other files of this host can't be expected either: it doesn't answer, or something else answers for it. */
  readonly hostFailed: boolean;

  constructor(message: string, options: ErrorOptions & { readonly hostFailed: boolean }) {
    super(message, options);
    this.hostFailed = options.hostFailed;
  }
}

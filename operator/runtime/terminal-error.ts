/** A retry can't help, and a condition on the object says so already: the controller drops the key until something changes. */
export class TerminalError extends Error {
  override readonly name = 'TerminalError';
}

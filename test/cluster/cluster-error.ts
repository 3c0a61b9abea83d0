/** A cluster can't be found, built or started; the message is written for the person at the terminal. */
export class ClusterError extends Error {
  override readonly name = 'ClusterError';
}

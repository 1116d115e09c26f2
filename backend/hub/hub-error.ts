/** A download that cannot continue. The message is for the operator: what is wrong, and what to do about it. */
export class HubError extends Error {
  override readonly name = 'HubError'
}

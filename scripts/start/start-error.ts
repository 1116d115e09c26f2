/** The product cannot start or continue, for a reason its owner can act on: shown as it is, without a stack trace. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

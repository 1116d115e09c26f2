/** The product cannot start or go on, for a reason its owner can act on: shown as it stands, without a stack. */
export class StartError extends Error {
  override readonly name = 'StartError'
}

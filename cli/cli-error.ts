/** An error the user can understand and act on; shown without a stack trace. */
export class CliError extends Error {
  override readonly name = 'CliError'
}

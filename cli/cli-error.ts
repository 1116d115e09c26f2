/** Something the user can understand and do something about; shown without a stack. */
export class CliError extends Error {
  override readonly name = 'CliError'
}

/** Why a schema is rejected, for its author. */
export class SchemaProblem extends Error {
  /** JSON pointer to the problem, from the root of the schema. */
  readonly pointer: string

  constructor(pointer: string, message: string) {
    super(message)
    this.name = 'SchemaProblem'
    this.pointer = pointer
  }
}

/** Extends a JSON pointer (RFC 6901) by one step. */
export function below(pointer: string, name: string | number): string {
  return `${pointer}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

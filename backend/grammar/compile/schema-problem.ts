/** Why a schema is refused, for its author. */
export class SchemaProblem extends Error {
  /** JSON pointer to the place at fault, from the root of the schema. */
  readonly pointer: string

  constructor(pointer: string, message: string) {
    super(message)
    this.name = 'SchemaProblem'
    this.pointer = pointer
  }
}

/** A JSON pointer (RFC 6901) one step further down. */
export function below(pointer: string, name: string | number): string {
  return `${pointer}/${String(name).replaceAll('~', '~0').replaceAll('/', '~1')}`
}

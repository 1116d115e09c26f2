import { ServiceError } from '../errors.ts'

/** Field -> whether a value has no effect here and may be ignored. */
export type Ignorable = Readonly<Record<string, (value: unknown) => boolean>>

/**
 * Rejects fields that would change the meaning of an answer and are not supported. Null counts as absent.
 * @throws {ServiceError} `unsupported_field`, naming the first such field
 */
export function refuseUnsupported(body: unknown, ignorable: Ignorable, place = ''): void {
  for (const [field, isHarmless] of Object.entries(ignorable)) {
    const value = fieldOf(body, field)
    if (value != null && !isHarmless(value)) throw unsupported(`${place}${field}`)
  }
}

/** The same for the fields of an object within the body. */
export function refuseUnsupportedIn(body: unknown, field: string, ignorable: Ignorable): void {
  refuseUnsupported(fieldOf(body, field), ignorable, `${field}.`)
}

function fieldOf(value: unknown, name: string): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
  return value[name as keyof typeof value]
}

export function unsupported(param: string, what = 'this is not supported here'): ServiceError {
  return new ServiceError('unsupported_field', `${param}: ${what}`, { param })
}

export const never = (): boolean => false

export const isEmptyList = (value: unknown): boolean => Array.isArray(value) && value.length === 0

export function isOneOf(...values: readonly unknown[]): (value: unknown) => boolean {
  return (value) => values.includes(value)
}

import { createHash } from 'node:crypto'

/** What is asked about every picture of a folder; the names are the API's. */
export interface Question {
  readonly prompt: string
  readonly system_prompt?: string
  readonly max_tokens?: number
  readonly temperature?: number
  readonly seed?: number
  /** Text of a JSON schema that answers must match. */
  readonly schema?: string
}

/** A question as a record keeps it: of a schema only its SHA-256, because it may be long. */
export type Asked = Readonly<Record<string, string | number>>

export function askedOf({ schema, ...fields }: Question): Asked {
  return { ...fields, ...(schema !== undefined && { schema_sha256: sha256(schema) }) }
}

/** Whether two records are about the same question, whatever the order of its fields. */
export function isSameQuestion(one: Asked, other: Asked): boolean {
  const names = Object.keys(one)
  return (
    names.length === Object.keys(other).length && names.every((name) => one[name] === other[name])
  )
}

/**
 * The form for `POST /generate/image`. Batch work waits for people; a stream shows that the server still lives, however
 * long the answer takes.
 */
export function formOf({ schema, ...fields }: Question, picture: Buffer<ArrayBuffer>): FormData {
  const form = new FormData()
  for (const [name, value] of Object.entries({ ...fields, priority: 'batch', stream: true })) {
    form.append(name, String(value))
  }
  if (schema !== undefined) {
    const json_schema = { name: 'answer', schema: JSON.parse(schema) as unknown }
    form.append('response_format', JSON.stringify({ type: 'json_schema', json_schema }))
  }
  // Names of files stay on this machine.
  form.append('images', new Blob([picture]), 'picture')
  return form
}

/** In hexadecimal. */
export function sha256(content: string | Uint8Array): string {
  return createHash('sha256').update(content).digest('hex')
}

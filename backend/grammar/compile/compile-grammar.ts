import { createHash } from 'node:crypto'
import type { Grammar } from '../grammar.ts'
import { maxSchemaChars } from '../limits.ts'
import { addAnyPlans } from './any-value.ts'
import { Drafts } from './drafts.ts'
import { finish } from './finish.ts'
import { readSchema } from './schema/read-schema.ts'
import { SchemaProblem } from './schema/schema-problem.ts'

/** The required form of an answer: any JSON object, or what a schema, given as JSON text, describes. */
export type FormatSource =
  { readonly type: 'json_object' } | { readonly type: 'json_schema'; readonly schema: string }

/** @throws {SchemaProblem} when the schema is invalid, unsupported or too large, or when nothing matches it */
export function compileGrammar(source: FormatSource): Grammar {
  const drafts = new Drafts()
  if (source.type === 'json_object') {
    return { key: source.type, ...finish(drafts, addAnyPlans(drafts).object) }
  }
  const { schema } = source
  if (schema.length > maxSchemaChars) {
    const message = `a schema may have ${maxSchemaChars} characters, this has ${schema.length}`
    throw new SchemaProblem('', message)
  }
  const root = readSchema(JSON.parse(schema), drafts)
  return { key: createHash('sha256').update(schema).digest('hex'), ...finish(drafts, root) }
}

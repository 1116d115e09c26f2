import * as fc from 'fast-check'
import { resolved, type Schema } from './operations.ts'

type Values = fc.Arbitrary<unknown>

/** Field -> values that a schema cannot tell apart from others, but that lead further into the server. */
export type Hints = Readonly<Record<string, Values>>

/** Anything, of the kinds that have broken servers. */
const anything = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  fc.constantFrom<unknown>(null, '', 0, -1, 1.5, 2 ** 53, 1e308, [], {}, '\u0000', '\uD800'),
  fc.constant('x'.repeat(5_000)),
  fc.constant(JSON.parse('{"__proto__":{"a":1},"constructor":1,"toString":2}') as unknown),
)

/** One value in so many is not what the schema says. */
const oddness = 60

/** Values that fit a JSON schema, and now and then, at any depth, one that does not. */
export function arbitraryOf(schema: Schema, hints: Hints): Values {
  const fitting = fittingOf(resolved(schema), hints)
  return fc.oneof({ weight: oddness - 1, arbitrary: fitting }, { weight: 1, arbitrary: anything })
}

function fittingOf(schema: Schema, hints: Hints): Values {
  if ('const' in schema) return fc.constant(schema['const'])
  if (Array.isArray(schema['enum'])) return fc.constantFrom(...(schema['enum'] as unknown[]))
  const choices = (schema['anyOf'] ?? schema['oneOf']) as readonly Schema[] | undefined
  if (choices !== undefined) return fc.oneof(...choices.map((one) => arbitraryOf(one, hints)))
  const types = [(schema['type'] ?? 'any') as string | readonly string[]].flat()
  return fc.oneof(...types.map((type) => ofType(type, schema, hints)))
}

function ofType(type: string, schema: Schema, hints: Hints): Values {
  switch (type) {
    case 'string':
      return textOf(schema)
    case 'integer':
      return fc.integer(rangeOf(schema))
    case 'number':
      return fc.double({
        ...rangeOf(schema),
        noNaN: true,
        minExcluded: 'exclusiveMinimum' in schema,
      })
    case 'boolean':
      return fc.boolean()
    case 'null':
      return fc.constant(null)
    case 'array':
      return fc.array(arbitraryOf((schema['items'] ?? {}) as Schema, hints), {
        minLength: Number(schema['minItems'] ?? 0),
        maxLength: 3,
      })
    case 'object':
      return objectOf(schema, hints)
    default:
      return anything
  }
}

function textOf({ pattern, minLength, maxLength }: Schema): Values {
  if (typeof pattern === 'string') return fc.stringMatching(new RegExp(pattern))
  const min = Number(minLength ?? 0)
  return fc.string({
    unit: 'grapheme',
    minLength: min,
    maxLength: Math.min(40, Number(maxLength ?? 40)),
  })
}

function rangeOf({ minimum, exclusiveMinimum, maximum }: Schema) {
  const min = Number(minimum ?? exclusiveMinimum ?? -1_000)
  return { min, max: Number(maximum ?? min + 2_000) }
}

function objectOf(schema: Schema, hints: Hints): Values {
  const { properties, required, additionalProperties: others, propertyNames: names } = schema
  if (properties === undefined && typeof others === 'object') {
    const keys = textOf((names ?? {}) as Schema) as fc.Arbitrary<string>
    return fc.dictionary(keys, arbitraryOf(others as Schema, hints), { maxKeys: 3 })
  }
  const fields = Object.entries((properties ?? {}) as Record<string, Schema>)
  const values = fields.map(([name, field]) => [name, hints[name] ?? arbitraryOf(field, hints)])
  return fc.record(Object.fromEntries(values) as Record<string, Values>, {
    requiredKeys: (required ?? []) as string[],
  })
}

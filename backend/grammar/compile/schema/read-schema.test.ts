import { describe, expect, it } from 'vitest'
import { objectOf } from '../../../../test/support/grammar/grammar-schemas.ts'
import { compileGrammar } from '../compile-grammar.ts'
import { SchemaProblem } from './schema-problem.ts'

function refusalOf(schema: unknown): { pointer: string; message: string } {
  try {
    compileGrammar({ type: 'json_schema', schema: JSON.stringify(schema) })
  } catch (error) {
    if (error instanceof SchemaProblem) return error
    throw error
  }
  throw new Error('The schema is taken')
}

const int = { type: 'integer' }
const inA = (schema: unknown) => objectOf({ a: schema })

/** Nested schemas; not made by JSON.stringify, which recurses. */
function nested(depth: number, before: string, inner: string, behind: string): unknown {
  return JSON.parse(before.repeat(depth) + inner + behind.repeat(depth))
}

describe('a schema is refused by the keyword at fault', () => {
  it.each([
    'not',
    'if',
    'then',
    'else',
    'contains',
    'minContains',
    'maxContains',
    'uniqueItems',
    'multipleOf',
    'dependentRequired',
    'dependentSchemas',
    'unevaluatedItems',
    'unevaluatedProperties',
    'propertyNames',
    '$anchor',
    '$id',
    '$dynamicRef',
    '$dynamicAnchor',
    '$vocabulary',
    'contentEncoding',
    'additionalItems',
    'id',
    'toString',
    '__proto__',
  ])('%s', (keyword) => {
    const schema = JSON.parse(`{"type":"integer","${keyword}":1}`) as unknown
    expect(refusalOf(schema)).toMatchObject({ pointer: `/${keyword}` })
    expect(refusalOf(inA(schema))).toMatchObject({ pointer: `/properties/a/${keyword}` })
    expect(refusalOf(schema).message).toContain(
      `"${keyword}" is not supported; supported are type,`,
    )
  })

  it.each<[name: string, schema: unknown, pointer: string]>([
    ['no schema', 5, ''],
    ['no schema in a property', inA('x'), '/properties/a'],
    ['an odd name in the way', objectOf({ 'a/b~c': { not: {} } }), '/properties/a~1b~0c/not'],
    ['a type that is none', { type: 'text' }, '/type'],
    ['types that are none', { type: [] }, '/type'],
    ['a length that is none', inA({ type: 'string', maxLength: -1 }), '/properties/a/maxLength'],
    ['half a length', { type: 'string', minLength: 1.5 }, '/minLength'],
    ['a bound that is no number', { type: 'number', minimum: '3' }, '/minimum'],
    ['a keyword of another type', { type: 'string', minimum: 3 }, '/minimum'],
    ['bounds of two types without a type', { minimum: 3, maxLength: 2 }, ''],
    ['properties that are a list', { type: 'object', properties: [] }, '/properties'],
    ['required that is a text', { ...objectOf({ a: int }), required: 'a' }, '/required'],
    [
      'required without a property',
      { ...objectOf({ a: int }), required: ['a', 'b'] },
      '/required/1',
    ],
    [
      '__proto__ beside additionalProperties',
      JSON.parse('{"properties":{"__proto__":{}},"additionalProperties":false}'),
      '/properties/__proto__',
    ],
    ['an unknown format', inA({ type: 'string', format: 'duration' }), '/properties/a/format'],
    ['a pattern beside a format', { type: 'string', format: 'date', pattern: 'a' }, '/pattern'],
    ['a pattern that is not valid', inA({ type: 'string', pattern: '(' }), '/properties/a/pattern'],
    ['lookahead', { type: 'string', pattern: '(?=a)' }, '/pattern'],
    ['an empty enum', { enum: [] }, '/enum'],
    ['an enum that is no list', { enum: 'a' }, '/enum'],
    ['a length beside an enum', { enum: ['a'], minLength: 1 }, '/minLength'],
    ['an empty anyOf', { anyOf: [] }, '/anyOf'],
    ['a type beside anyOf', { type: 'object', anyOf: [int] }, '/type'],
    ['a length beside $ref', { $defs: { s: int }, $ref: '#/$defs/s', minimum: 1 }, '/minimum'],
    ['a reference elsewhere', inA({ $ref: 'https://example.com/a' }), '/properties/a/$ref'],
    ['a reference to an anchor', { $ref: '#here' }, '/$ref'],
    ['a reference to nothing', { $ref: '#/$defs/a' }, '/$ref'],
    ['a reference to what only looks like a member', { $ref: '#/constructor' }, '/$ref'],
    ['a reference that is no URI', { $ref: '#/%' }, '/$ref'],
    ['what a reference leads to', { $defs: { s: { not: {} } }, $ref: '#/$defs/s' }, '/$defs/s/not'],
    [
      'oneOf told apart by __proto__ alone',
      JSON.parse(
        '{"oneOf":[{"properties":{"__proto__":{"const":1}},"required":["__proto__"]},{"properties":{"__proto__":{"const":2}},"required":["__proto__"]}]}',
      ),
      '/oneOf/1',
    ],
    ['a constant that validators cannot compare', { const: { a: [{ valueOf: 1 }] } }, '/const'],
    ['another one', inA({ enum: ['b', { toString: null }] }), '/properties/a/enum'],
    ['a constant that is not itself to validators', { const: { constructor: [] } }, '/const'],
    ['oneOf that overlaps', { oneOf: [int, { type: 'number' }] }, '/oneOf/1'],
    ['oneOf of objects alike', { oneOf: [objectOf({ a: int }), objectOf({ b: int })] }, '/oneOf/1'],
    ['allOf of no objects', { allOf: [int, { minimum: 3 }] }, '/allOf/0/type'],
    [
      'allOf with a name twice',
      { allOf: [{ properties: { a: int } }, { properties: { a: int } }] },
      '/allOf/1/properties/a',
    ],
    [
      'allOf closed in one part',
      { allOf: [objectOf({ a: int }), { properties: { b: int } }] },
      '/allOf/0/additionalProperties',
    ],
    [
      'two patterns of keys',
      { type: 'object', patternProperties: { a: int, b: int } },
      '/patternProperties',
    ],
    ['keys that might repeat', { type: 'object', minProperties: 2 }, '/minProperties'],
    ['numbers of too many digits', { type: 'number', minimum: 1e20 }, '/minimum'],
    [
      'whole numbers of too many digits',
      inA({ type: 'integer', exclusiveMinimum: 1e15, maximum: 1e16 }),
      '/properties/a/exclusiveMinimum',
    ],
    ['nullable that is a text', { type: 'string', nullable: 'yes' }, '/nullable'],
  ])('%s', (_, schema, pointer) => {
    expect(refusalOf(schema)).toMatchObject({ pointer })
  })

  it.each<[name: string, schema: object, pointer: string]>([
    ['itself', { properties: { constructor: { $ref: '#' } } }, '/properties/constructor'],
    ['nothing', inA({ properties: { toString: false } }), '/properties/a/properties/toString'],
    [
      'nothing, beside another value',
      { anyOf: [{ properties: { valueOf: { enum: [1], type: 'string' } } }, { type: 'null' }] },
      '/anyOf/0/properties/valueOf',
    ],
    [
      'one of two',
      { properties: { valueOf: int, a: int }, required: ['a'], maxProperties: 1 },
      '/maxProperties',
    ],
  ])('a property that is always written, and is %s', (_, schema, pointer) => {
    const message = expect.stringContaining('find it in every object') as string
    expect(refusalOf(schema)).toMatchObject({ pointer, message })
  })

  it.each<[string, unknown]>([
    ['false', false],
    ['minimum above maximum', { type: 'integer', minimum: 5, maximum: 3 }],
    ['no whole number between', { type: 'integer', exclusiveMinimum: 1, exclusiveMaximum: 2 }],
    ['minLength above maxLength', { type: 'string', minLength: 2, maxLength: 1 }],
    ['a pattern and lengths', { type: 'string', pattern: '^aaa$', maxLength: 2 }],
    ['items that are needed and cannot be', { type: 'array', items: false, minItems: 1 }],
    ['a property that is needed and cannot be', inA(false)],
    ['itself', { $ref: '#' }],
    [
      'itself by way of others',
      {
        $defs: { a: { $ref: '#/$defs/b' }, b: { anyOf: [{ $ref: '#/$defs/a' }] } },
        $ref: '#/$defs/a',
      },
    ],
    ['an object that needs itself', inA({ $ref: '#' })],
    ['a list that needs itself', { type: 'array', items: { $ref: '#' }, minItems: 1 }],
    ['more properties than there are', { ...inA(int), minProperties: 2 }],
    ['constants of other types', { type: 'integer', enum: ['a', 1.5] }],
  ])('nothing fits %s', (_, schema) => {
    expect(refusalOf(schema)).toMatchObject({
      pointer: '',
      message: expect.stringContaining('no value fits') as string,
    })
  })
})

function properties(count: number, make: (index: number) => unknown): unknown {
  const names = Array.from({ length: count }, (_, index) => [`p${index}`, make(index)])
  return { properties: Object.fromEntries(names) as unknown }
}

describe('a schema that is too much is refused', () => {
  const inline = (depth: number): unknown =>
    depth === 0 ? int : { anyOf: [inline(depth - 1), { type: 'array', items: inline(depth - 1) }] }
  const chain = (length: number) => ({
    $defs: Object.fromEntries(
      Array.from({ length }, (_, index) => [
        `d${index}`,
        {
          anyOf: [
            index === 0 ? int : { $ref: `#/$defs/d${index - 1}` },
            { type: 'array', items: { $ref: `#/$defs/d${index}` } },
          ],
        },
      ]),
    ),
    $ref: `#/$defs/d${length - 1}`,
  })

  const references = (length: number) => ({
    $defs: Object.fromEntries(
      Array.from({ length }, (_, index) => [
        `d${index}`,
        index === 0 ? int : { $ref: `#/$defs/d${index - 1}` },
      ]),
    ),
    $ref: `#/$defs/d${length - 1}`,
  })

  it.each<[string, unknown, string]>([
    ['objects too deep', nested(400, '{"properties":{"a":', '{}', '}}'), '64 levels deep'],
    ['constants too deep', { const: nested(900, '[', '', ']') }, '64 levels deep'],
    ['a long chain of references', references(3_000), 'too long'],
    ['lists too deep', nested(900, '{"items":', '{}', '}'), '64 levels deep'],
    [
      'too many properties',
      {
        properties: Object.fromEntries(
          Array.from({ length: 5_001 }, (_, index) => [`p${index}`, int]),
        ),
      },
      '5000 properties',
    ],
    [
      'too many constants',
      { enum: Array.from({ length: 10_001 }, (_, index) => index) },
      '10000 values',
    ],
    ['too long', { description: 'x'.repeat(300_000), ...int }, '262144 characters'],
    [
      'too many alternatives',
      { anyOf: Array.from({ length: 65 }, (_, index) => ({ type: 'string', maxLength: index })) },
      '64 alternatives',
    ],
    ['unions in unions', chain(2_000), 'alternatives'],
    ['more than any answer has', { type: 'array', minItems: 1_000_000 }, '131072'],
    [
      'pattern and lengths too large',
      { type: 'string', pattern: '^[a-z]*$', maxLength: 1_000_000 },
      'too large',
    ],
    [
      'many patterns',
      properties(33, (index) => ({ type: 'string', pattern: `^[a-f]{${index}}$` })),
      '32 different patterns',
    ],
    [
      'large patterns',
      properties(9, (index) => ({ type: 'string', pattern: `^[a-f]{${900 + index}}$` })),
      '2000 once it is deterministic',
    ],
    [
      'many ranges',
      properties(257, (index) => ({ type: 'integer', minimum: index })),
      '256 different ranges',
    ],
    [
      'many branches of oneOf',
      { oneOf: Array.from({ length: 257 }, (_, index) => ({ const: index })) },
      '256 branches',
    ],
    ['a chain of many unions', chain(1_500), 'alternatives'],
  ])('%s', (_, schema, message) => {
    expect(refusalOf(schema).message).toContain(message)
  })

  it('but unions within unions and long chains of references are taken', () => {
    for (const schema of [inline(6), chain(40)]) {
      const text = JSON.stringify(schema)
      expect(compileGrammar({ type: 'json_schema', schema: text }).least[0]).toBe(1)
    }
  })
})

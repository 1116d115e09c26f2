/** Schemas that the grammar takes, for tests: [name, schema]. */
import { createRandom } from '../../../backend/engine/sampling/random.ts'

export type NamedSchema = readonly [name: string, schema: unknown]

const str = { type: 'string' }
const int = { type: 'integer' }
const num = { type: 'number' }

/** A closed object whose properties are all required. */
export function objectOf(properties: Readonly<Record<string, unknown>>, more: object = {}) {
  return {
    type: 'object',
    properties,
    required: Object.keys(properties),
    additionalProperties: false,
    ...more,
  }
}

function nested(depth: number, inner: unknown): unknown {
  return depth === 0 ? inner : objectOf({ [`level${depth}`]: nested(depth - 1, inner) })
}

function numbered(count: number, make: (index: number) => unknown): Record<string, unknown> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, index) => [`field_${index}`, make(index)]),
  )
}

const formats = ['date', 'time', 'date-time', 'uuid', 'ipv4', 'email', 'hostname', 'uri']

const patterns = [
  '^[A-Z]{2}-[0-9]{1,3}$',
  'ab+',
  '^a|b$',
  '^(a|aa)+$',
  '^\\d\\w\\s$',
  '^\\p{L}+$',
  '^\\p{Lu}\\p{Ll}{0,20}$',
  '^.{1,4}$',
  '^[^a-z]{1,4}$',
  '^["\\\\]{1,2}$',
  '^[\\u0000-\\u001f]{1,3}$',
  '^[\\u{1F600}-\\u{1F64F}]{1,3}$',
  '^(?:foo|bar|baz)(?:,(?:foo|bar|baz)){0,3}$',
  '\\$$',
  '^$',
  '^[가-힣]{2,4}$',
]

const bounds: readonly object[] = [
  { type: 'integer', minimum: -5, maximum: 127 },
  { type: 'integer', exclusiveMinimum: 0, exclusiveMaximum: 10 },
  { type: 'integer', minimum: 18 },
  { type: 'integer', maximum: -3 },
  { type: 'integer', minimum: 0.5, maximum: 3.5 },
  { type: 'integer', minimum: -123_456, maximum: 987_654_321 },
  { type: 'integer', minimum: 99, maximum: 1001 },
  { type: 'number', minimum: 0, maximum: 1 },
  { type: 'number', minimum: -1.5, maximum: 2.25 },
  { type: 'number', exclusiveMinimum: 0, exclusiveMaximum: 1 },
  { type: 'number', exclusiveMinimum: 0.1, exclusiveMaximum: 0.2 },
  { type: 'number', minimum: 2.5 },
  { type: 'number', maximum: -0.001 },
  { type: 'number', minimum: 0.000_000_1, maximum: 0.000_000_9 },
  { type: 'number', minimum: 1e10, maximum: 1e12 },
  { type: ['integer', 'null'], minimum: 3, maximum: 7 },
]

const keywords: readonly NamedSchema[] = [
  ['all types', { type: ['string', 'integer', 'number', 'boolean', 'null'] }],
  ['any', {}],
  ['true', true],
  ['any in a property', objectOf({ p: {} })],
  ['lengths', { type: 'string', minLength: 2, maxLength: 5 }],
  ['length of nothing', { type: 'string', maxLength: 0 }],
  ['long', { type: 'string', minLength: 60, maxLength: 300 }],
  ['least length', { type: 'string', minLength: 7 }],
  ['pattern and length', { type: 'string', pattern: '^a+$', minLength: 2, maxLength: 3 }],
  ['pattern and least length', { type: 'string', pattern: '^[ab]*$', minLength: 4 }],
  ['format and length', { type: 'string', format: 'email', maxLength: 12 }],
  ['items', { type: 'array', items: int, minItems: 1, maxItems: 3 }],
  ['items of anything', { type: 'array', maxItems: 2 }],
  ['no items', { type: 'array', maxItems: 0 }],
  ['items false', { type: 'array', items: false }],
  ['tuple', { type: 'array', prefixItems: [str, int], items: false, minItems: 2 }],
  [
    'open tuple',
    {
      type: 'array',
      prefixItems: [int, int],
      items: { type: 'boolean' },
      minItems: 3,
      maxItems: 4,
    },
  ],
  ['tuple alone', { type: 'array', prefixItems: [int, str] }],
  [
    'lists of lists',
    {
      type: 'array',
      items: { type: 'array', items: { type: 'array', items: int, maxItems: 3 }, maxItems: 3 },
    },
  ],
  [
    'optional properties',
    {
      type: 'object',
      properties: { a: int, b: int, c: int },
      required: ['b'],
      additionalProperties: false,
    },
  ],
  ['all optional', { type: 'object', properties: { a: int, b: str } }],
  ['empty object', { type: 'object', properties: {}, additionalProperties: false }],
  ['object of anything', { type: 'object' }],
  ['map', { type: 'object', additionalProperties: { type: 'array', items: num } }],
  ['map of few', { type: 'object', additionalProperties: int, minProperties: 1, maxProperties: 2 }],
  [
    'others beside',
    { type: 'object', properties: { a: int, ab: int }, required: ['a'], additionalProperties: str },
  ],
  [
    'anything beside',
    { type: 'object', properties: { name: str }, required: ['name'], additionalProperties: true },
  ],
  [
    'keys by pattern',
    { type: 'object', patternProperties: { '^x_[a-z]+$': int }, additionalProperties: false },
  ],
  ['some of three', { ...objectOf({ a: int, b: int, c: int }), required: [], minProperties: 2 }],
  [
    'few of four',
    {
      type: 'object',
      properties: { a: int, b: int, c: int, d: int },
      required: ['c'],
      maxProperties: 2,
    },
  ],
  [
    'two of five',
    { type: 'object', properties: numbered(5, () => int), minProperties: 2, maxProperties: 2 },
  ],
  ['no type but properties', { properties: { a: int }, required: ['a'] }],
  ['no type but items', { items: int, maxItems: 2 }],
  ['no type but minimum', { minimum: 5 }],
  ['const', { const: { a: [1, 'x', null, true, 1.5] } }],
  ['enum', { enum: ['a"b', 'é\n', 1, null, true, { a: 1 }, [2], 1.5, 15, '\u2028', '😀'] }],
  ['enum and type', { type: 'string', enum: ['a', 1, 'b'] }],
  ['enum of numbers', { enum: [1, 12, 123, 1_234_567, 1e21, -0.5] }],
  ['nullable', { type: 'integer', nullable: true }],
  ['nullable enum', { type: 'string', nullable: true, enum: ['a', null] }],
  [
    'anyOf',
    { anyOf: [objectOf({ k: { const: 'a' }, v: int }), objectOf({ k: { const: 'b' }, v: str })] },
  ],
  [
    'anyOf of constants',
    { anyOf: Array.from({ length: 100 }, (_, index) => ({ const: `label ${index}` })) },
  ],
  [
    'anyOf within anyOf',
    { anyOf: [{ anyOf: [int, str] }, { anyOf: [{ type: 'null' }, { type: 'boolean' }] }] },
  ],
  [
    'anyOf that overlaps',
    { anyOf: [{ type: 'string', maxLength: 3 }, { type: 'string', pattern: '^[0-9]+$' }, str] },
  ],
  [
    'anyOf of objects alike',
    { anyOf: [objectOf({ a: int, x: int }), objectOf({ a: int, y: int })] },
  ],
  ['optional by anyOf', objectOf({ a: { anyOf: [str, { type: 'null' }] } })],
  ['oneOf types', { oneOf: [str, int, { type: 'null' }] }],
  [
    'oneOf tags',
    {
      oneOf: [
        objectOf({ kind: { const: 'a' }, v: int }),
        objectOf({ kind: { enum: ['b', 'c'] }, v: str }),
      ],
    },
  ],
  ['allOf one', { allOf: [objectOf({ a: int })] }],
  [
    'allOf parts',
    {
      allOf: [{ type: 'object', properties: { a: int }, required: ['a'] }, { $ref: '#/$defs/b' }],
      $defs: { b: { properties: { b: str }, required: ['b'] } },
    },
  ],
  [
    'allOf beside properties',
    {
      type: 'object',
      properties: { own: int },
      required: ['own'],
      allOf: [{ properties: { other: int } }],
    },
  ],
  ['$defs', { $defs: { p: objectOf({ x: int }) }, ...objectOf({ p: { $ref: '#/$defs/p' } }) }],
  [
    'definitions',
    { definitions: { p: { type: 'boolean' } }, ...objectOf({ p: { $ref: '#/definitions/p' } }) },
  ],
  [
    'recursive root',
    {
      type: 'object',
      properties: { v: int, next: { $ref: '#' } },
      required: ['v'],
      additionalProperties: false,
    },
  ],
  [
    'mutual recursion',
    {
      $defs: {
        a: objectOf({ b: { anyOf: [{ $ref: '#/$defs/b' }, { type: 'null' }] } }),
        b: objectOf({ a: { anyOf: [{ $ref: '#/$defs/a' }, { type: 'null' }] } }),
      },
      $ref: '#/$defs/a',
    },
  ],
  [
    'tree',
    {
      $defs: {
        node: objectOf({ name: str, children: { type: 'array', items: { $ref: '#/$defs/node' } } }),
      },
      $ref: '#/$defs/node',
    },
  ],
  [
    'recursive union',
    {
      $defs: {
        T: {
          anyOf: [
            objectOf({ a: { $ref: '#/$defs/T' }, x: int }),
            objectOf({ a: { $ref: '#/$defs/T' }, y: int }),
            { type: 'null' },
          ],
        },
      },
      $ref: '#/$defs/T',
    },
  ],
  [
    'expression',
    {
      $defs: {
        e: {
          anyOf: [
            num,
            objectOf({
              op: { enum: ['+', '-'] },
              left: { $ref: '#/$defs/e' },
              right: { $ref: '#/$defs/e' },
            }),
          ],
        },
      },
      $ref: '#/$defs/e',
    },
  ],
  [
    'escaped pointer',
    {
      $defs: { 'a/b c': int, 'x~y': str },
      ...objectOf({ p: { $ref: '#/$defs/a~1b%20c' }, q: { $ref: '#/$defs/x~0y' } }),
    },
  ],
  [
    'pointer into properties',
    objectOf({ a: { type: 'string', maxLength: 4 }, b: { $ref: '#/properties/a' } }),
  ],
  [
    'odd names',
    objectOf({
      'a"b\\c\n': int,
      é: int,
      '': int,
      ' ': int,
      '😀': int,
      '\u0001': int,
      'a b': int,
      constructor: int,
    }),
  ],
  [
    'names that begin alike',
    { type: 'object', properties: { a: int, aa: int, aaa: int, ab: int, b: int } },
  ],
  ['deep', nested(30, str)],
  [
    'annotations',
    {
      $schema: 'https://json-schema.org/draft/2020-12/schema',
      title: 'T',
      description: 'd',
      ...objectOf({ a: { ...int, default: 3, examples: [1], deprecated: true } }),
    },
  ],
  [
    'some that cannot be',
    { anyOf: [{ type: 'integer', minimum: 5, maximum: 3 }, { type: 'boolean' }] },
  ],
  ['optional that cannot be', { type: 'object', properties: { a: false, b: int } }],
]

/** As people send them, small to large. */
export const usualSchemas: readonly NamedSchema[] = [
  ['caption', objectOf({ caption: str })],
  [
    'alt text',
    objectOf({
      decorative: { type: 'boolean' },
      short: { type: 'string', maxLength: 125 },
      long: { type: 'string', maxLength: 600 },
    }),
  ],
  [
    'closed tags',
    objectOf({
      tags: {
        type: 'array',
        items: { enum: Array.from({ length: 30 }, (_, index) => `tag ${index}`) },
        maxItems: 10,
      },
    }),
  ],
  [
    '500 labels',
    objectOf({
      v: {
        enum: Array.from({ length: 500 }, (_, index) => `category-${(index * 7919) % 10_007}-name`),
      },
    }),
  ],
  [
    '5,000 labels',
    objectOf({
      v: {
        enum: Array.from(
          { length: 5_000 },
          (_, index) => `category-${(index * 7919) % 100_007}-name`,
        ),
      },
    }),
  ],
  [
    'boxes',
    objectOf({
      objects: {
        type: 'array',
        items: objectOf({
          label: str,
          box: {
            type: 'array',
            items: { type: 'number', minimum: 0, maximum: 1 },
            minItems: 4,
            maxItems: 4,
          },
          confidence: num,
        }),
        maxItems: 50,
      },
    }),
  ],
  [
    'invoice',
    objectOf({
      number: { type: 'string', pattern: '^[A-Z]{2}[0-9]{6}$' },
      date: { type: 'string', format: 'date' },
      total: { type: 'number', minimum: 0 },
      currency: { enum: ['EUR', 'USD', 'GBP'] },
      lines: {
        type: 'array',
        items: objectOf({
          text: str,
          quantity: { type: 'integer', minimum: 1, maximum: 9999 },
          price: num,
        }),
        minItems: 1,
        maxItems: 100,
      },
    }),
  ],
  [
    'union of 20 objects',
    objectOf({
      items: {
        type: 'array',
        items: {
          anyOf: Array.from({ length: 20 }, (_, index) =>
            objectOf({ kind: { const: `k${index}` }, value: index % 2 === 0 ? str : int }),
          ),
        },
      },
    }),
  ],
  [
    '30 optional',
    {
      type: 'object',
      properties: numbered(30, (index) => (index % 3 === 0 ? num : str)),
      additionalProperties: false,
    },
  ],
  ['200 required', objectOf(numbered(200, (index) => (index % 3 === 0 ? num : str)))],
  [
    'formats',
    objectOf(Object.fromEntries(formats.map((format) => [format, { type: 'string', format }]))),
  ],
  ['length 10 to 200', objectOf({ a: { type: 'string', minLength: 10, maxLength: 200 } })],
  ['length to 5,000', objectOf({ a: { type: 'string', maxLength: 5_000 } })],
  ['1,000 items', objectOf({ a: { type: 'array', items: int, maxItems: 1_000 } })],
  [
    'ranges',
    objectOf({
      a: { type: 'integer', minimum: -123_456, maximum: 987_654_321 },
      b: { type: 'number', minimum: -1.25, maximum: 99.999 },
    }),
  ],
  ['map of lists', { type: 'object', additionalProperties: { type: 'array', items: str } }],
  [
    'page of 40 fields',
    objectOf(
      numbered(
        40,
        (index) =>
          [
            str,
            int,
            { type: ['string', 'null'] },
            { enum: ['yes', 'no', 'unknown'] },
            { type: 'array', items: str, maxItems: 5 },
          ][index % 5],
      ),
    ),
  ],
]

/** One keyword or two each. */
export const keywordSchemas: readonly NamedSchema[] = [
  ...keywords,
  ...formats.map((format): NamedSchema => [`format ${format}`, { type: 'string', format }]),
  ...patterns.map((pattern): NamedSchema => [`pattern ${pattern}`, { type: 'string', pattern }]),
  ...bounds.map((bound): NamedSchema => [JSON.stringify(bound), bound]),
]

/** Schemas made at random out of what is supported: the same for the same seed. */
export function randomSchemas(count: number, seed: number): NamedSchema[] {
  const random = createRandom(seed)
  const pick = <One>(list: readonly One[]): One => list[Math.floor(random() * list.length)]!
  const upTo = (limit: number) => Math.floor(random() * (limit + 1))
  const make = (depth: number): unknown => {
    const kinds =
      depth === 0 ? ['scalar'] : ['scalar', 'object', 'object', 'array', 'anyOf', 'map', 'tuple']
    switch (pick(kinds)) {
      case 'object':
        return makeObject(depth)
      case 'array': {
        const minItems = upTo(2)
        return { type: 'array', items: make(depth - 1), minItems, maxItems: minItems + upTo(3) }
      }
      case 'tuple':
        return { type: 'array', prefixItems: [make(depth - 1), make(depth - 1)], minItems: upTo(2) }
      case 'anyOf':
        return { anyOf: Array.from({ length: 2 + upTo(2) }, () => make(depth - 1)) }
      case 'map':
        return { type: 'object', additionalProperties: make(depth - 1), maxProperties: 1 + upTo(2) }
      default:
        return makeScalar()
    }
  }
  const makeObject = (depth: number) => {
    const names = ['id', 'name', 'a b', 'ü', 'x"y', 'value', 'kind', 'n1'].slice(0, 1 + upTo(5))
    return {
      type: 'object',
      properties: Object.fromEntries(names.map((name) => [name, make(depth - 1)])),
      required: names.filter(() => random() < 0.6),
      ...(random() < 0.7 && { additionalProperties: false }),
    }
  }
  const makeScalar = (): unknown => {
    const min = upTo(5)
    return pick<() => unknown>([
      () => ({ type: 'string', minLength: min, maxLength: min + upTo(20) }),
      () => ({ type: 'string', pattern: pick(patterns) }),
      () => ({ type: 'string', format: pick(formats) }),
      () => pick(bounds),
      () => ({ enum: ['red', 'green', 3, null, 'blue'].slice(upTo(3)) }),
      () => ({ const: pick(['x', 0, false, 'ä']) }),
      () => ({ type: pick(['boolean', 'null', 'integer', 'number', 'string']) }),
    ])()
  }
  return Array.from({ length: count }, (_, index) => [`random ${seed}.${index}`, makeObject(3)])
}

/** Schemas that take as much work as the limits allow, or more: [name, schema]. Some are compiled, others are refused. */
import type { NamedSchema } from './grammar-schemas.ts'

const str = { type: 'string' }
const int = { type: 'integer' }

function times<One>(count: number, make: (index: number) => One): One[] {
  return Array.from({ length: count }, (_, index) => make(index))
}

function byName(count: number, make: (index: number) => unknown, prefix = 'p') {
  return Object.fromEntries(times(count, (index) => [`${prefix}${index}`, make(index)]))
}

function objectOf(count: number, make: (index: number) => unknown) {
  return { type: 'object', properties: byName(count, make) }
}

function patterns(count: number, make: (index: number) => string) {
  return objectOf(count, (index) => ({ type: 'string', pattern: make(index) }))
}

/** Schemas that each refer to the next, which has no other way to be reached. */
function chain(count: number, make: (next: unknown, index: number) => unknown, last: unknown) {
  const link = (index: number) =>
    index === count ? last : make({ $ref: `#/$defs/d${index + 1}` }, index)
  return { $defs: byName(count + 1, link, 'd'), $ref: '#/$defs/d0' }
}

/** All refer to all. */
function web(count: number, make: (all: unknown[], index: number) => unknown) {
  const all = times(count, (index) => ({ $ref: `#/$defs/d${index}` }))
  return { $defs: byName(count, (index) => make(all, index), 'd'), $ref: '#/$defs/d0' }
}

function nested(depth: number, inner: unknown, around: (inner: unknown) => unknown): unknown {
  return depth === 0 ? inner : around(nested(depth - 1, inner, around))
}

const bigRange = (index: number) => ({
  type: 'number',
  minimum: -123_456_789_012_345 + index * 7_777_777,
  maximum: 987_654_321_098.765 + index * 1.000_1,
})

const tag = (index: number) => ({
  type: 'object',
  properties: { kind: { const: `kind ${index}` }, ...byName(15, () => str) },
  required: ['kind'],
})

const scripts =
  'Latin Greek Cyrillic Armenian Hebrew Arabic Syriac Thaana Devanagari Bengali Gurmukhi Gujarati Oriya Tamil Telugu Kannada'.split(
    ' ',
  )

const numbers: readonly NamedSchema[] = [
  [
    '256 ranges of 15-digit integers',
    objectOf(256, (index) => ({
      type: 'integer',
      minimum: 123_456_789_012_345 + index,
      maximum: 987_654_321_098_765 - index,
    })),
  ],
  ['256 ranges of fractions', objectOf(256, bigRange)],
  [
    '256 narrow ranges of fractions',
    objectOf(256, (index) => ({
      type: 'number',
      exclusiveMinimum: 0.123_456_7 + index * 1e-9,
      exclusiveMaximum: 0.123_456_7 + (index + 1) * 1e-9,
    })),
  ],
  ['a union of 63 ranges', { type: 'array', items: { anyOf: times(63, bigRange) } }],
]

const patternSchemas: readonly NamedSchema[] = [
  ['32 patterns with \\p{L}', patterns(32, (index) => `^\\p{L}{${index + 1}}$`)],
  [
    '32 patterns with \\p{L} and digits',
    patterns(32, (index) => `^\\p{L}[0-${index % 9}]{${index}}$`),
  ],
  ['a thousand letters', { type: 'string', pattern: '^\\p{L}{1,1000}$' }],
  ['16 scripts', patterns(16, (index) => `^\\p{Script=${scripts[index]!}}{1,50}$`)],
  ['16 scripts in one pattern', { type: 'string', pattern: scriptsPattern() }],
  ['a character far from the end', { type: 'string', pattern: '.{0,1000}x' }],
  ['an exponential pattern', { type: 'string', pattern: '(a|b)*a(a|b){14}' }],
  ['an exponential pattern within limits', { type: 'string', pattern: '^(a|b)*a(a|b){9}$' }],
  [
    '32 exponential patterns',
    patterns(32, (index) => `(a|b)*a(a|b){${5 + (index % 3)}}[${index}]`),
  ],
  ['counted repetition', { type: 'string', pattern: '^(([a-z]{1,30}){1,30})$' }],
  [
    'counted repetition, four deep',
    { type: 'string', pattern: '^((([a-z]{1,9}){1,9}){1,9}){1,9}$' },
  ],
  ['repetition of repetition', { type: 'string', pattern: '^((((a*)*)*)*)*$' }],
  [
    'many alternatives',
    { type: 'string', pattern: `^(${times(200, (i) => `${i}x`).join('|')})*$` },
  ],
  [
    'many optional characters',
    { type: 'string', pattern: `^${'a?'.repeat(300)}${'a'.repeat(300)}$` },
  ],
  [
    'negated classes',
    patterns(32, (index) => `^[^${String.fromCodePoint(0x4e00 + 7 * index)}\\w]{1,20}$`),
  ],
  [
    'scattered characters',
    {
      type: 'string',
      pattern: `^[${times(800, (index) => String.fromCodePoint(0x3400 + 31 * index)).join('')}]+$`,
    },
  ],
  [
    'characters in different places',
    {
      type: 'string',
      pattern: times(249, (index) => `${String.fromCodePoint(0x3400 + 91 * index)}.*`).join(''),
    },
  ],
  [
    'a pattern and lengths',
    { type: 'string', pattern: '^[a-z]*$', minLength: 60_000, maxLength: 120_000 },
  ],
  [
    '32 patterns and lengths',
    objectOf(32, (index) => ({ type: 'string', pattern: `^\\w+$`, maxLength: 3_000 + index })),
  ],
  [
    '32 formats and lengths',
    objectOf(32, (index) => ({ type: 'string', format: 'email', maxLength: 30 + index })),
  ],
  [
    'union of 32 patterns',
    { anyOf: times(32, (index) => ({ type: 'string', pattern: `^\\p{L}{1,${index + 2}}$` })) },
  ],
  [
    'keys of a pattern',
    { type: 'object', patternProperties: { '^\\p{L}{1,900}$': {} }, additionalProperties: false },
  ],
  [
    'keys of 32 patterns',
    objectOf(32, (index) => ({
      type: 'object',
      patternProperties: { [`^x${index}\\p{Lu}{1,20}`]: int },
    })),
  ],
]

function scriptsPattern(): string {
  return `^[${scripts.map((name) => `\\p{Script=${name}}`).join('')}]{1,100}$`
}

const objects: readonly NamedSchema[] = [
  ['5,000 properties', objectOf(5_000, () => int)],
  [
    '5,000 required properties',
    { ...objectOf(5_000, () => int), required: Object.keys(byName(5_000, () => 1)) },
  ],
  ['5,000 properties and others', { ...objectOf(5_000, () => int), additionalProperties: true }],
  [
    '5,000 properties in allOf',
    { allOf: times(1_000, (index) => ({ properties: byName(5, () => int, `p${index}_`) })) },
  ],
  [
    '5,000 properties, half of them',
    { ...objectOf(5_000, () => int), minProperties: 2_500, maxProperties: 2_500 },
  ],
  [
    '12 names of 20,000 characters',
    { type: 'object', properties: byName(12, () => int, 'n'.repeat(20_000)) },
  ],
  [
    '12 long names and others',
    {
      type: 'object',
      properties: byName(12, () => int, 'n'.repeat(20_000)),
      additionalProperties: int,
    },
  ],
  ['1,000 objects of 5 properties', objectOf(800, () => objectOf(5, () => str))],
  [
    '5,000 required names, none declared',
    {
      type: 'object',
      properties: byName(4_000, () => int),
      required: times(8_000, (i) => `q${i}`),
    },
  ],
  [
    'required names repeated',
    {
      type: 'object',
      properties: byName(4_000, () => int),
      required: times(16_000, (i) => `p${3_999 - (i % 9)}`),
    },
  ],
]

const constants: readonly NamedSchema[] = [
  ['10,000 values', { enum: times(10_000, (index) => `label-${(index * 7_919) % 100_003}`) }],
  ['a long constant', { const: 'x'.repeat(260_000) }],
  ['a constant of 50,000 items', { const: times(50_000, () => 1) }],
  ['a constant of 20,000 names', { const: byName(20_000, () => 0, '') }],
  [
    '100 of 100 values',
    objectOf(100, (index) => ({ enum: times(100, (value) => `${index} ${value}`) })),
  ],
  [
    '256 values of 1,000 characters',
    { enum: times(256, (index) => `${'x'.repeat(1_000)}${index}`) },
  ],
]

const unions: readonly NamedSchema[] = [
  ['oneOf 256 tags', { oneOf: times(256, tag) }],
  [
    'oneOf 256 tags by reference',
    { oneOf: times(256, (index) => ({ $ref: `#/$defs/d${index}` })), $defs: byName(256, tag, 'd') },
  ],
  ['oneOf 63 tags', { type: 'array', items: { oneOf: times(63, tag) } }],
  [
    'oneOf 256 tags, 63 objects',
    { oneOf: times(256, (index) => (index < 63 ? tag(index) : { const: index })) },
  ],
  [
    'oneOf 256 lists of constants',
    { oneOf: times(256, (index) => ({ enum: times(39, (value) => index * 39 + value) })) },
  ],
  [
    'oneOf 256 tags of many values',
    {
      oneOf: times(250, (index) => ({
        type: 'object',
        properties: { kind: { enum: times(39, (value) => `${index} ${value}`) } },
        required: ['kind'],
      })),
    },
  ],
  [
    'oneOf by the last of many tags',
    {
      oneOf: times(63, (index) => ({
        type: 'object',
        properties: { ...byName(60, () => ({ const: 'same' })), tag: { const: index } },
        required: [...Object.keys(byName(60, () => 1)), 'tag'],
      })),
    },
  ],
  [
    'oneOf through long references',
    {
      ...chain(60, (next) => next, int),
      $ref: undefined,
      oneOf: times(256, (index) => (index === 0 ? { $ref: '#/$defs/d0' } : { const: `x${index}` })),
    },
  ],
  [
    '63 objects alike',
    { anyOf: times(63, (index) => objectOf(60, (name) => (name === 59 ? { const: index } : str))) },
  ],
  [
    '63 lists of lists',
    {
      anyOf: times(63, (index) =>
        nested(20, { const: index }, (items) => ({ type: 'array', items })),
      ),
    },
  ],
  [
    'unions of unions',
    chain(
      1_500,
      (next, index) => ({ anyOf: [next, { type: 'array', items: { $ref: `#/$defs/d${index}` } }] }),
      int,
    ),
  ],
  [
    '60 unions of all others',
    web(60, (all, index) => ({ anyOf: [...all, { type: 'string', minLength: index }] })),
  ],
  [
    '1,000 unions of 60 objects',
    web(60, (all, index) => objectOf(60, (name) => ({ anyOf: [all[(index * name) % 60], int] }))),
  ],
  ['a long chain of references', chain(3_000, (next) => next, int)],
  ['a chain of references within limits', chain(1_900, (next) => next, int)],
  ['nested anyOf', nested(60, int, (inner) => ({ anyOf: [inner, { type: 'array', items: int }] }))],
  [
    'doubling references',
    chain(
      60,
      (next) => ({ type: 'array', prefixItems: [next, next], items: false, minItems: 2 }),
      int,
    ),
  ],
  [
    'doubling objects',
    chain(60, (next) => ({ ...objectOf(2, () => next), required: ['p0', 'p1'] }), int),
  ],
  [
    'nested allOf',
    nested(
      60,
      objectOf(1, () => int),
      (inner) => ({ allOf: [inner] }),
    ),
  ],
]

const nesting: readonly NamedSchema[] = [
  [
    '60 objects deep',
    nested(60, int, (inner) => ({ ...objectOf(1, () => inner), required: ['p0'] })),
  ],
  ['65 objects deep', nested(65, int, (inner) => objectOf(1, () => inner))],
  ['60 lists deep', nested(60, int, (items) => ({ type: 'array', items, minItems: 1 }))],
  ['3,000 lists deep', nestedText(3_000)],
  ['131,072 items required', { type: 'array', items: str, minItems: 131_072 }],
  [
    '131,072 characters required',
    { type: 'array', items: { type: 'string', minLength: 131_072 }, minItems: 131_072 },
  ],
  ['5,000 first items', { type: 'array', prefixItems: times(5_000, () => int), minItems: 5_000 }],
  ['40,000 first items', { type: 'array', prefixItems: times(40_000, () => true), items: false }],
  ['10,000 definitions', { ...int, $defs: byName(10_000, () => str) }],
  ['endless object', { type: 'object', properties: { a: { $ref: '#' } }, required: ['a'] }],
  [
    'endless chain',
    { $defs: { a: { $ref: '#/$defs/b' }, b: { $ref: '#/$defs/a' } }, $ref: '#/$defs/a' },
  ],
  [
    'endings found late',
    chain(1_200, (next) => ({ ...objectOf(3, () => next), required: ['p2'] }), int),
  ],
  ['endings found late, reversed', reversed(2_300)],
  [
    'endings found late in an object',
    {
      ...reversed(1_000),
      type: 'object',
      prefixItems: undefined,
      items: undefined,
      minItems: undefined,
      properties: byName(4_000, (index) => ({ $ref: `#/$defs/d${index % 1_000}` })),
      required: Object.keys(byName(4_000, () => 1)),
    },
  ],
  ['not', { not: { type: 'string' } }],
  ['if, then, else', JSON.parse('{"if":{"type":"string"},"then":{"maxLength":1}}')],
  ['a long pointer', { $ref: `#/${'a/'.repeat(100_000)}` }],
]

/** As a value, since JSON.parse would take it. */
function nestedText(depth: number): unknown {
  return JSON.parse(`${'['.repeat(depth)}${']'.repeat(depth)}`)
}

/** Each needs the one before it. */
function reversed(count: number) {
  const link = (index: number) =>
    index === 0
      ? int
      : { type: 'object', properties: { a: { $ref: `#/$defs/d${index - 1}` } }, required: ['a'] }
  return {
    $defs: byName(count, link, 'd'),
    type: 'array',
    items: false,
    prefixItems: times(count, (index) => ({ $ref: `#/$defs/d${count - 1 - index}` })),
    minItems: 1,
  }
}

export const hostileSchemas: readonly NamedSchema[] = [
  ...numbers,
  ...patternSchemas,
  ...objects,
  ...constants,
  ...unions,
  ...nesting,
]

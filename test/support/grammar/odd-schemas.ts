/** Schemas of which people think rarely: [name, schema]. Each is taken, whatever else is refused. */
import type { NamedSchema } from './grammar-schemas.ts'

export const oddSchemas: readonly NamedSchema[] = [
  ['format email + lengths', { type: 'string', format: 'email', minLength: 10, maxLength: 14 }],
  ['ipv4 + minLength 15', { type: 'string', format: 'ipv4', minLength: 15 }],
  ['URL of pydantic', { type: 'string', format: 'uri', minLength: 1, maxLength: 2_083 }],
  [
    'inherited names',
    {
      type: 'object',
      properties: {
        toString: { type: 'integer' },
        a: { type: 'integer' },
        constructor: { type: 'string', maxLength: 3 },
      },
      additionalProperties: { type: 'string' },
    },
  ],
  [
    'an inherited name, recursive',
    { properties: { constructor: { anyOf: [{ $ref: '#' }, { type: 'null' }] } }, maxProperties: 1 },
  ],
  ['constants with odd names', { enum: [{ constructor: 1, hasOwnProperty: [] }, ['__proto__']] }],
  [
    'inherited names in allOf',
    {
      allOf: [
        { properties: { valueOf: { type: 'integer' } } },
        { properties: { a: { type: 'null' } } },
      ],
    },
  ],
  [
    'a property __proto__',
    JSON.parse(
      '{"type":"object","properties":{"__proto__":{"type":"integer"},"a":{"type":"null"}}}',
    ),
  ],
  [
    'oneOf with discriminator',
    {
      discriminator: { propertyName: 'kind', mapping: { a: '#/$defs/a' } },
      oneOf: [{ $ref: '#/$defs/a' }, { $ref: '#/$defs/b' }],
      $defs: {
        a: { type: 'object', properties: { kind: { const: 'a' } }, required: ['kind'] },
        b: { type: 'object', properties: { kind: { const: 'b' } }, required: ['kind'] },
      },
    },
  ],
  ['hostname exact', { type: 'string', format: 'hostname', minLength: 6, maxLength: 6 }],
  ['date-time + maxLength 20', { type: 'string', format: 'date-time', maxLength: 20 }],
  [
    'anyOf overlapping objects',
    {
      anyOf: [
        {
          type: 'object',
          properties: { a: { type: 'integer' }, b: { type: 'string' } },
          required: ['a'],
          additionalProperties: false,
        },
        {
          type: 'object',
          properties: { a: { type: 'number' }, b: { type: 'null' }, c: { type: 'string' } },
          required: ['a', 'c'],
          additionalProperties: false,
        },
      ],
    },
  ],
  ['const 1e300', { const: 1e300 }],
  ['const 5e-324', { const: 5e-324 }],
  ['const nested odd', { const: { '': [[], {}, '', '\u0000', '\ud83d\ude00'], '\u2028': null } }],
  ['const lone surrogate', { const: '\ud800' }],
  ['enum lone surrogate beside', { enum: ['\udc00', 'ok'] }],
  ['enum duplicates by value', { enum: [1, 1, '1', true, null] }],
  [
    'additional union',
    {
      type: 'object',
      additionalProperties: {
        anyOf: [{ type: 'integer' }, { type: 'array', items: { type: 'string' }, maxItems: 2 }],
      },
      minProperties: 1,
      maxProperties: 3,
    },
  ],
  [
    'prefixItems + unions',
    {
      type: 'array',
      prefixItems: [
        { enum: ['a', 'b'] },
        { type: ['integer', 'null'] },
        {
          type: 'object',
          properties: { x: { type: 'integer' } },
          required: ['x'],
          additionalProperties: false,
        },
      ],
      items: { type: 'string' },
      minItems: 2,
      maxItems: 5,
    },
  ],
  [
    'minProperties of optional',
    {
      type: 'object',
      properties: {
        a: { type: 'integer' },
        b: { type: 'integer' },
        c: { type: 'integer' },
        d: { type: 'integer' },
      },
      minProperties: 3,
      additionalProperties: false,
    },
  ],
  [
    'unicode names',
    {
      type: 'object',
      properties: {
        '\u043a\u043b\u044e\u0447': { type: 'integer' },
        '\u9375': { type: 'string' },
        '\ud83d\udd11\ud83d\udd11': { type: 'boolean' },
        'a\u0301': { type: 'integer' },
        '\u00e1': { type: 'integer' },
        toString: { type: 'integer' },
        hasOwnProperty: { type: 'null' },
      },
      required: [
        '\u043a\u043b\u044e\u0447',
        '\u9375',
        '\ud83d\udd11\ud83d\udd11',
        'a\u0301',
        '\u00e1',
        'toString',
        'hasOwnProperty',
      ],
      additionalProperties: false,
    },
  ],
  [
    'mutual three',
    {
      $ref: '#/$defs/a',
      $defs: {
        a: {
          type: 'object',
          properties: { b: { anyOf: [{ $ref: '#/$defs/b' }, { type: 'null' }] } },
          required: ['b'],
          additionalProperties: false,
        },
        b: { type: 'array', items: { $ref: '#/$defs/c' }, maxItems: 2 },
        c: { anyOf: [{ $ref: '#/$defs/a' }, { type: 'integer' }, { $ref: '#/$defs/b' }] },
      },
    },
  ],
  [
    'recursion through map',
    {
      $ref: '#/$defs/t',
      $defs: {
        t: { type: 'object', additionalProperties: { $ref: '#/$defs/t' }, maxProperties: 2 },
      },
    },
  ],
  [
    'recursion through tuple',
    {
      $ref: '#/$defs/t',
      $defs: {
        t: {
          type: 'array',
          prefixItems: [{ type: 'integer' }, { anyOf: [{ $ref: '#/$defs/t' }, { type: 'null' }] }],
          items: false,
          minItems: 2,
        },
      },
    },
  ],
  ['bounds exponents', { type: 'number', minimum: 1e-7, exclusiveMaximum: 0.00001 }],
  ['bounds neg exponents', { type: 'number', exclusiveMinimum: -0.0025, maximum: -0.0001 }],
  ['integer 1e3 bounds', { type: 'integer', minimum: 1000, maximum: 1200 }],
  ['number of one value', { type: 'number', minimum: 0.1, maximum: 0.1 }],
  [
    'pattern lengths astral',
    { type: 'string', pattern: '^[\\u{1F600}-\\u{1F64F}a]+$', minLength: 2, maxLength: 3 },
  ],
  ['pattern quotes backslashes', { type: 'string', pattern: '^["\\\\/]+\\t$', maxLength: 5 }],
  ['pattern negative control', { type: 'string', pattern: '^[^\\x20-\\x7e]{2}$' }],
  ['pattern alternation anchors', { type: 'string', pattern: '^a|b$|^$', maxLength: 3 }],
  ['pattern backreference', { type: 'string', pattern: '^(a)\\1$' }],
  ['pattern named group', { type: 'string', pattern: '^(?<y>[0-9]{4})$' }],
  ['pattern lazy', { type: 'string', pattern: '^a+?b*?$', maxLength: 6 }],
  ['pattern v-like', { type: 'string', pattern: '^\\p{Script=Greek}{1,3}$' }],
  [
    'type list all with bounds',
    {
      type: ['string', 'integer', 'array', 'object', 'null'],
      minLength: 2,
      maxLength: 3,
      minimum: 3,
      maximum: 4,
      maxItems: 1,
      maxProperties: 1,
    },
  ],
  [
    '$ref description',
    {
      $defs: { a: { type: 'string' } },
      type: 'object',
      properties: { x: { $ref: '#/$defs/a', description: 'd' } },
      required: ['x'],
      additionalProperties: false,
    },
  ],
  [
    'ref into enum array',
    {
      $defs: { a: { anyOf: [{ type: 'integer' }, { type: 'string' }] } },
      $ref: '#/$defs/a/anyOf/1',
    },
  ],
  [
    'oneOf by const nested',
    {
      oneOf: [
        {
          type: 'object',
          properties: { t: { const: 'x' }, v: { anyOf: [{ type: 'integer' }, { type: 'null' }] } },
          required: ['t', 'v'],
          additionalProperties: false,
        },
        {
          type: 'object',
          properties: { t: { const: 'y' } },
          required: ['t'],
          additionalProperties: false,
        },
        { type: 'string', format: 'date' },
      ],
    },
  ],
  ['additionalProperties false no properties', { type: 'object', additionalProperties: false }],
  ['format date nullable', { type: ['string', 'null'], format: 'date' }],
  [
    'any of 32 patterns that exclude a letter each',
    patternsOf(
      'etaoinshrdlucmfwypvbgkqjxzETAOIN',
      (letter, index) => `^[^${letter}]{1,${index + 2}}$`,
    ),
  ],
  [
    'any of several patterns that end late',
    patternsOf('etaoin', (letter) => `^([^${letter}]{3}é?){2}([0-9]|\\p{Lu}+)$`),
  ],
  [
    'any of several formats, patterns and texts',
    {
      anyOf: [
        ...['date', 'email', 'uri', 'uuid'].map((format) => ({ type: 'string', format })),
        { type: 'string', pattern: 'b+' },
        { type: 'string', maxLength: 3 },
        { enum: ['emails', '"'] },
      ],
    },
  ],
]

function patternsOf(letters: string, make: (letter: string, index: number) => string) {
  const all = Array.from(letters, (letter, index) => make(letter, index))
  return { anyOf: all.map((pattern) => ({ type: 'string', pattern })) }
}

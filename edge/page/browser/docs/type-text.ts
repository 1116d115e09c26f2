import { alternativesOf, nameOf, type Schema } from './openapi.ts'

/** A short text of what a value may be: `integer, 1 to 8`, `list of text, up to 16`. */
export function typeText(schema: Schema): string {
  const name = nameOf(schema)
  if (name !== undefined) return name
  const alternatives = alternativesOf(schema)
  if (alternatives.length > 0) return [...new Set(alternatives.map(typeText))].join(' or ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined)
    return schema.enum.map((value) => JSON.stringify(value)).join(' or ')
  const type = [schema.type ?? []]
    .flat()
    .map((each) => namedType(each, schema))
    .join(' or ')
  return [type || 'any value', rangeText(schema)].filter(Boolean).join(', ')
}

function namedType(type: string, { items, contentMediaType }: Schema): string {
  if (contentMediaType !== undefined) return 'file'
  if (type === 'string') return 'text'
  if (type === 'array') return items === undefined ? 'list' : `list of ${shortType(items)}`
  return type
}

/** Of what a list holds: the fields and the range of an item are shown elsewhere. */
function shortType(items: Schema): string {
  const isUnion = alternativesOf(items).length > 0
  return isUnion ? 'alternatives' : typeText({ ...items, minLength: 0, maxLength: Infinity })
}

function rangeText(schema: Schema): string {
  const characters = span(schema.minLength, schema.maxLength, ' characters')
  const items = span(schema.minItems, schema.maxItems ?? schema.maxProperties, '')
  const { minimum, maximum, exclusiveMinimum: above } = schema
  if (above !== undefined)
    return maximum === undefined ? `above ${above}` : `above ${above} to ${number(maximum)}`
  return [span(minimum, maximum, '', true), characters, items].filter(Boolean).join(', ')
}

/** @param hasZero whether a minimum of 0 is worth mentioning */
function span(
  least: number | undefined,
  most: number | undefined,
  unit: string,
  hasZero = false,
): string {
  const from = least === 0 && !hasZero ? undefined : least
  const to = most === Infinity ? undefined : most
  if (from === undefined) return to === undefined ? '' : `up to ${number(to)}${unit}`
  return to === undefined
    ? `from ${number(from)}${unit}`
    : `${number(from)} to ${number(to)}${unit}`
}

function number(value: number): string {
  return value.toLocaleString('en')
}

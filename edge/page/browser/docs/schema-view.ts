import { el } from '../dom.ts'
import { foldedPart } from './folded-part.ts'
import { alternativesOf, resolved, type Schema, type Schemas } from './openapi.ts'
import { richText } from './rich-text.ts'
import { typeText } from './type-text.ts'

/** Nesting depth up to which objects are shown. */
const maxDepth = 8

/** The fields of an object, with those of nested objects collapsed below them. */
export function fieldList(schema: Schema, schemas: Schemas, depth = 0): HTMLElement | undefined {
  const { properties, required = [] } = resolved(schema, schemas)
  if (properties === undefined || depth > maxDepth) return undefined
  const fields = Object.entries(properties).map(([name, field]) =>
    fieldItem(name, field, required.includes(name), schemas, depth),
  )
  return el('ul', { class: 'fields' }, ...fields)
}

function fieldItem(
  name: string,
  schema: Schema,
  isRequired: boolean,
  schemas: Schemas,
  depth: number,
): HTMLElement {
  const { default: standard, description } = schema
  const inner = innerObjects(schema, schemas)
  return el(
    'li',
    {},
    el('code', { class: 'field-name' }, name),
    el('span', { class: 'field-type' }, typeText(schema)),
    isRequired && el('span', { class: 'field-required' }, 'required'),
    standard !== undefined &&
      el('span', { class: 'field-type' }, 'default ', el('code', {}, JSON.stringify(standard))),
    description !== undefined && el('p', {}, ...richText(description)),
    ...inner.map(({ title, object }) =>
      foldedPart(title, () => [fieldList(object, schemas, depth + 1)]),
    ),
  )
}

/** The objects that a value may be or contain, with the label that distinguishes them. */
function innerObjects(schema: Schema, schemas: Schemas): { title: string; object: Schema }[] {
  const whole = resolved(schema, schemas)
  if (whole.properties !== undefined) return [{ title: titleOf(whole), object: whole }]
  const parts = [...alternativesOf(whole), ...(whole.items === undefined ? [] : [whole.items])]
  return parts.flatMap((part) => innerObjects(part, schemas))
}

function titleOf({ properties = {} }: Schema): string {
  const kind = properties['type']?.const
  const names = Object.keys(properties).filter((name) => name !== 'type' || kind === undefined)
  return typeof kind === 'string'
    ? `“${kind}”${names.length > 0 ? `: ${names.join(', ')}` : ''}`
    : names.join(', ')
}

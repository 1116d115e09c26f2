import { el } from '../dom.ts'
import { copyFrom } from '../ask/copy.ts'
import { curlExample } from './curl-example.ts'
import { exampleOf } from './example.ts'
import { foldedPart } from './folded-part.ts'
import { type Content, nameOf, type Route, type Schema, type Schemas } from './openapi.ts'
import { richText } from './rich-text.ts'
import { fieldList } from './schema-view.ts'
import { typeText } from './type-text.ts'

/** One route: what it is for, what it takes, and what it answers. */
export function operationView(route: Route, schemas: Schemas, origin: string): HTMLElement {
  const { operationId, method, path, summary, description } = route
  return el(
    'article',
    { class: 'operation', id: operationId, 'aria-labelledby': `${operationId}-title` },
    el(
      'h3',
      { id: `${operationId}-title` },
      el('span', { class: `method ${method.toLowerCase()}` }, method),
      ' ',
      el('code', {}, path),
    ),
    el('p', { class: 'lead' }, ...richText(`${summary}.`)),
    description !== undefined && el('p', {}, ...richText(description)),
    el('h4', {}, 'Example'),
    codeBlock(curlExample(route, schemas, origin), `${method} ${path} with curl`),
    ...parameterPart(route),
    ...bodyPart(route, schemas),
    ...answerPart(route, schemas),
    ...errorPart(route),
  )
}

function codeBlock(text: string, label: string): HTMLElement {
  const code = el('code', {}, text)
  const copy = el(
    'button',
    { type: 'button', class: 'plain', 'aria-label': `Copy: ${label}` },
    'Copy',
  )
  copy.addEventListener('click', () => void copyFrom(code, copy))
  return el(
    'div',
    { class: 'example' },
    el('pre', { tabindex: 0, role: 'region', 'aria-label': label }, code),
    copy,
  )
}

function parameterPart({ parameters = [] }: Route): HTMLElement[] {
  if (parameters.length === 0) return []
  const items = parameters.map(({ name, in: place, schema, required, description }) =>
    el(
      'li',
      {},
      el('code', { class: 'field-name' }, name),
      el('span', { class: 'field-type' }, `${place}, ${typeText(schema)}`),
      required === true && el('span', { class: 'field-required' }, 'required'),
      description !== undefined && el('p', {}, ...richText(description)),
    ),
  )
  return [el('h4', {}, 'Parameters'), el('ul', { class: 'fields' }, ...items)]
}

function bodyPart({ requestBody }: Route, schemas: Schemas): HTMLElement[] {
  const contents = Object.entries(requestBody?.content ?? {})
  const [first] = contents
  if (first === undefined) return []
  const types = contents.map(([type]) => type).join(', ')
  return [
    el('h4', {}, 'Body'),
    el('p', { class: 'small' }, types),
    ...present(fieldList(first[1].schema, schemas)),
  ]
}

function answerPart({ responses }: Route, schemas: Schemas): HTMLElement[] {
  const good = Object.entries(responses).filter(([status]) => Number(status) < 300)
  return good.flatMap(([status, { description, content }]) =>
    content === undefined
      ? [el('h4', {}, `Answer ${status}`), el('p', {}, ...richText(`${description}.`))]
      : Object.entries(content).flatMap(([type, one]) => [
          el('h4', {}, `Answer ${status}, ${type}`),
          ...contentView(type, one, schemas),
        ]),
  )
}

function contentView(type: string, content: Content, schemas: Schemas): HTMLElement[] {
  const { schema, 'x-event-data': events = {} } = content
  return [
    ...(schema.description === undefined ? [] : [el('p', {}, ...richText(schema.description))]),
    ...Object.entries(events).map(([name, data]) => schemaDetails(`event ${name}`, data, schemas)),
    ...(type === 'application/json'
      ? [schemaDetails(nameOf(schema) ?? 'Fields', schema, schemas)]
      : []),
  ]
}

function schemaDetails(title: string, schema: Schema, schemas: Schemas): HTMLElement {
  const example = () => JSON.stringify(exampleOf(schema, schemas, true), null, 2)
  return foldedPart(title, () => [
    fieldList(schema, schemas),
    codeBlock(example(), `Example of ${title}`),
  ])
}

function errorPart({ responses }: Route): HTMLElement[] {
  const bad = Object.entries(responses).filter(([status]) => Number(status) >= 400)
  if (bad.length === 0) return []
  const rows = bad.map(([status, { description }]) =>
    el('div', {}, el('dt', {}, status), el('dd', {}, ...richText(description))),
  )
  return [
    el(
      'details',
      { class: 'errors' },
      el('summary', {}, 'Errors'),
      el('dl', { class: 'statuses' }, ...rows),
    ),
  ]
}

function present(element: HTMLElement | undefined): HTMLElement[] {
  return element === undefined ? [] : [element]
}

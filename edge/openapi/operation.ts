import { type ErrorCode, errorKinds } from '../../shared/api/errors.ts'
import { maxBackendHintChars, maxIdempotencyKeyChars } from '../../shared/api/limits.ts'
import { requestIdHeader } from '../../shared/api/wire/request-id.ts'
import { type EdgeRouteName, edgeRoutes } from '../../shared/api/routes.ts'
import { scopes } from '../../shared/api/administration/scopes.ts'
import { backendHintHeader } from '../backends/hint.ts'
import { idempotencyKeyHeader } from '../idempotency/idempotent.ts'
import { limitHeaderNames } from '../limits/limit-headers.ts'
import { refTo, type SchemaName } from './components.ts'
import type { RouteDoc } from './route-doc.ts'
import { routeDocs } from './route-docs.ts'
import { anywhere, beforeRouting, keyed } from './route-errors.ts'
import { type JsonSchema, schemaOf } from './schema-of.ts'

/** One route as an operation of the document. */
export function operationOf(name: EdgeRouteName) {
  const { path, scope } = edgeRoutes[name]
  const doc = routeDocs[name]
  const parameters = [...pathParameters(path), ...queryParameters(doc), ...headerParameters(doc)]
  const errors = [...anywhere, ...keyErrors(scope), ...doc.errors]
  return {
    operationId: name,
    tags: [doc.tag],
    summary: doc.summary,
    description: [doc.description, scopeNote(scope)].filter(Boolean).join(' '),
    security: scope === null ? [] : [{ apiKey: [] }, { bearer: [] }],
    ...(parameters.length > 0 && { parameters }),
    ...(doc.body && { requestBody: bodyOf(doc) }),
    responses: { ...errorResponses(errors, doc.errorBody ?? 'Error'), ...answersOf(doc) },
  }
}

/** If any scope is sufficient, no key lacks it. */
function keyErrors(scope: string | readonly string[] | null): readonly ErrorCode[] {
  if (scope === null) return []
  return scopes.every((each) => scope.includes(each))
    ? keyed.filter((code) => code !== 'forbidden_scope')
    : keyed
}

function scopeNote(scope: string | readonly string[] | null): string {
  if (scope === null) return 'No key is needed.'
  const names = [scope].flat().map((each) => `\`${each}\``)
  return `Needs a key with the scope ${names.join(' or ')}.`
}

function pathParameters(path: string): JsonSchema[] {
  return [...path.matchAll(/:(\w+)/g)].map(([, name]) => ({
    name,
    in: 'path',
    required: true,
    schema: { type: 'string' },
  }))
}

function queryParameters({ query }: RouteDoc): JsonSchema[] {
  if (query === undefined) return []
  const { properties } = schemaOf(query) as { properties: Record<string, JsonSchema> }
  return Object.entries(properties).map(([name, schema]) => ({ name, in: 'query', schema }))
}

function headerParameters({ asks }: RouteDoc): JsonSchema[] {
  if (asks !== true) return []
  const header = (name: string, maxLength: number, description: string): JsonSchema => {
    const schema = { type: 'string', minLength: 1, maxLength, pattern: '^[!-~]+$' }
    return { name, in: 'header', description, schema }
  }
  return [
    header(
      idempotencyKeyHeader,
      maxIdempotencyKeyChars,
      'The request is run once for each value; a repetition gets the same answer.',
    ),
    header(
      backendHintHeader,
      maxBackendHintChars,
      'Requests with the same value meet the same backend where that is possible.',
    ),
  ]
}

function bodyOf({ body, bodyIsOptional = false, example }: RouteDoc): JsonSchema {
  const content = contentOf(body ?? {})
  for (const each of Object.values(content)) (each as JsonSchema).example = example
  return { required: !bodyIsOptional, content }
}

/** Media type -> schema. */
function contentOf(types: Readonly<Record<string, SchemaName>>): JsonSchema {
  const content = Object.entries(types).map(([type, name]) => [type, { schema: refTo(name) }])
  return Object.fromEntries(content) as JsonSchema
}

function answersOf({
  answers,
  emptyAnswers = [],
  answerType = 'application/json',
  otherTypes = {},
  stream,
  asks,
}: RouteDoc): Record<string, JsonSchema> {
  const responses = Object.entries(answers).map(([status, name]) => {
    const isGood = Number(status) < 300
    const content = {
      [answerType]: { schema: refTo(name) },
      ...(isGood && contentOf(otherTypes)),
      ...(isGood && stream && { 'text/event-stream': streamOf(stream) }),
    }
    const headers = { ...headersOf([requestIdHeader]), ...(asks && headersOf(limitHeaderNames)) }
    return [status, { description: isGood ? 'The answer' : 'Not now', headers, content }]
  })
  const empty = emptyAnswers.map((status) => {
    return [status, { description: 'Nothing to answer', headers: headersOf([requestIdHeader]) }]
  })
  return Object.fromEntries([...responses, ...empty]) as Record<string, JsonSchema>
}

/** OpenAPI 3.1 cannot describe the data of events, so it is in an extension. */
function streamOf({ description, events }: NonNullable<RouteDoc['stream']>): JsonSchema {
  const data = Object.entries(events).map(([event, name]) => [event, refTo(name)])
  return {
    schema: { type: 'string', description },
    'x-event-data': Object.fromEntries(data) as JsonSchema,
  }
}

function errorResponses(codes: readonly ErrorCode[], body: SchemaName): Record<string, JsonSchema> {
  const byStatus = new Map<number, ErrorCode[]>()
  for (const code of new Set(codes)) {
    const { status } = errorKinds[code]
    byStatus.set(status, [...(byStatus.get(status) ?? []), code])
  }
  const responses = [...byStatus].map(([status, those]) => {
    const isRetryable = those.some((code) => errorKinds[code].retryable)
    const headers = headersOf([requestIdHeader, ...(isRetryable ? ['retry-after'] : [])])
    const description = those.map((code) => `\`${code}\``).join(', ')
    const content = { 'application/json': { schema: errorSchema(those, body) } }
    return [status, { description, headers, content }]
  })
  return Object.fromEntries(responses) as Record<string, JsonSchema>
}

/** Requests refused before their path is known get the form that most routes have. */
function errorSchema(codes: readonly ErrorCode[], body: SchemaName): JsonSchema {
  const isEarly = (code: ErrorCode) => (beforeRouting as readonly ErrorCode[]).includes(code)
  const bodies: SchemaName[] = codes.map((code) => (isEarly(code) ? 'Error' : body))
  const [first, ...others] = [...new Set(bodies)].map(refTo)
  return others.length === 0 ? first! : { anyOf: [first, ...others] }
}

function headersOf(names: readonly string[]): Record<string, JsonSchema> {
  const type = (name: string) => (name === requestIdHeader ? 'string' : 'integer')
  return Object.fromEntries(names.map((name) => [name, { schema: { type: type(name) } }]))
}

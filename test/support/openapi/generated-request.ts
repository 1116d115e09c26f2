import { readFileSync } from 'node:fs'
import * as fc from 'fast-check'
import { arbitraryOf, type Hints } from './arbitrary-of.ts'
import { type Operation, operations } from './operations.ts'

const base64 = readFileSync('test/golden/images/g01.png').toString('base64')
const dataUri = `data:image/png;base64,${base64}`

/** The one picture on the web of the tests. */
export const pictureUrl = 'https://pictures.org/a.png'

/** Which key a request has; `id` is one that a test made. */
type Credentials = 'root' | 'narrow' | 'limited' | 'wrong' | 'none'

export interface GeneratedRequest {
  /** Of its operation. */
  readonly name: string
  readonly credentials: Credentials
  /** Path and query; `{key}` stands for the id of a key. */
  readonly target: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | FormData | undefined
}

const image = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom<string>(dataUri, pictureUrl) },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      'https://pictures.org/none.png',
      'http://127.0.0.1/a.png',
      'data:image/png;base64,####',
      'data:text/plain,a',
      'file:///etc/passwd',
      base64,
    ),
  },
)
const fewTokens = fc.integer({ min: 1, max: 4 })
const part = fc.oneof(
  fc.record({ type: fc.constant('input_text'), text: fc.string() }),
  fc.record({ type: fc.constant('input_image'), image_url: image }),
  fc.record({
    type: fc.constantFrom('output_text', 'refusal', 'input_file', 'x'),
    text: fc.string(),
  }),
)
const schemas = fc.constantFrom<unknown>(
  { type: 'object' },
  { type: 'string', maxLength: 5 },
  { enum: ['a', 'b'] },
  { type: 'object', properties: { a: { type: 'integer' } }, required: ['a'] },
  { type: 'nothing' },
  { $ref: '#/nowhere' },
  true,
)
const tools = ['describe_image', 'ask_about_image', 'extract_text', 'compare_images', 'none']

const hints: Hints = {
  model: fc.oneof(
    { weight: 9, arbitrary: fc.constantFrom('kimi-vl', 'kimi-vl-nano') },
    { weight: 1, arbitrary: fc.string() },
  ),
  url: image,
  image_url: fc.oneof(image, fc.record({ url: image })),
  data: fc.constantFrom(base64, 'AAAA', '#'),
  // With either of these an answer to nothing in particular would never end.
  max_tokens: fewTokens,
  max_completion_tokens: fewTokens,
  max_output_tokens: fewTokens,
  n: fc.integer({ min: 1, max: 3 }),
  // The little model has none of its makers, so that this is mostly left at the default.
  preset: fc.constantFrom('server', 'server', 'server', 'model'),
  // A deadline that passes is documented, but says nothing about the server.
  timeout_ms: fc.integer({ min: 20_000, max: 60_000 }),
  schema: schemas,
  input: fc.oneof(
    fc.string(),
    fc.array(
      fc.record({
        role: fc.constantFrom('user', 'assistant', 'system', 'developer'),
        content: fc.oneof(fc.string(), fc.array(part, { maxLength: 3 })),
      }),
      { minLength: 1, maxLength: 3 },
    ),
  ),
  method: fc.constantFrom(
    'tools/call',
    'tools/list',
    'initialize',
    'ping',
    'notifications/cancelled',
  ),
  params: fc.record(
    {
      name: fc.constantFrom(...tools),
      arguments: fc.record(
        {
          image,
          images: fc.array(image, { maxLength: 3 }),
          question: fc.string(),
          max_tokens: fewTokens,
        },
        { requiredKeys: [] },
      ),
      protocolVersion: fc.constant('2025-11-25'),
      capabilities: fc.constant({}),
      clientInfo: fc.constant({ name: 'a', version: '1' }),
      requestId: fc.integer(),
    },
    { requiredKeys: ['name'] },
  ),
  expires_at: fc.constantFrom('2999-01-01T00:00:00Z', '1999-01-01T00:00:00Z', null, 'soon'),
}

/** Requests as the document describes them, and now and then something else. */
export const generatedRequest: fc.Arbitrary<GeneratedRequest> = fc
  .constantFrom(...operations)
  .chain((operation) =>
    fc
      .record({
        credentials: credentialsFor(operation),
        target: targetOf(operation),
        headers: headersOf(operation),
        sent: bodyOf(operation),
      })
      .map(({ credentials, target, headers, sent }) => ({
        name: operation.name,
        credentials,
        target,
        headers: { ...headers, ...sent.headers },
        body: sent.body,
      })),
  )

function credentialsFor({ needsKey }: Operation): fc.Arbitrary<Credentials> {
  if (!needsKey) return fc.constantFrom('none', 'root')
  return fc.oneof(
    { weight: 12, arbitrary: fc.constant('root' as const) },
    { weight: 3, arbitrary: fc.constantFrom('narrow', 'limited', 'wrong', 'none') },
  )
}

function targetOf({ path, parameters }: Operation): fc.Arbitrary<string> {
  const id = fc.constantFrom('{key}', 'kimi-vl', 'nothing', '%20', 'x'.repeat(90))
  const queries = parameters.filter((parameter) => parameter.in === 'query')
  const query = fc.record(
    Object.fromEntries(
      queries.map(({ name, schema }) => [name, arbitraryOf(schema, hints).map(String)]),
    ),
    { requiredKeys: [] },
  )
  return fc.tuple(id, query).map(([name, fields]) => {
    const sent = Object.entries(fields).filter(
      (field): field is [string, string] => field[1] !== undefined,
    )
    const text = new URLSearchParams(sent).toString()
    return path.replace('{id}', name) + (text === '' ? '' : `?${text}`)
  })
}

function headersOf({ parameters }: Operation): fc.Arbitrary<Record<string, string>> {
  const own = parameters.filter((parameter) => parameter.in === 'header')
  const values = fc.constantFrom('a', 'b', 'a b', 'x'.repeat(300))
  return fc.record(
    {
      ...Object.fromEntries(own.map(({ name }) => [name, values])),
      accept: fc.constantFrom('*/*', 'application/json', 'text/event-stream', 'x'),
      'x-request-id': fc.constantFrom('generated-1', '!'),
    },
    { requiredKeys: [] },
  )
}

interface Sent {
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | FormData | undefined
}

function bodyOf({ bodies }: Operation): fc.Arbitrary<Sent> {
  const types = Object.entries(bodies)
  if (types.length === 0) return fc.constant({ headers: {}, body: undefined })
  return fc.constantFrom(...types).chain(([type, { schema }]) => {
    const value = arbitraryOf(schema, hints)
    const right = value.map((one) => encoded(type, one))
    const wrong = fc.tuple(value, fc.constantFrom('text/plain', 'multipart/form-data', type))
    return fc.oneof(
      { weight: 20, arbitrary: right },
      { weight: 1, arbitrary: wrong.map(([one, other]) => torn(other, one)) },
    )
  })
}

function encoded(type: string, value: unknown): Sent {
  const fields = Object.entries(value ?? {}).flatMap(([name, one]) =>
    [one as unknown].flat().map((each): [string, string] => [name, textOf(each)]),
  )
  switch (type) {
    case 'multipart/form-data': {
      const form = new FormData()
      for (const [name, text] of fields) {
        if (name === 'images') form.append(name, new Blob([Buffer.from(base64, 'base64')]), 'a.png')
        else form.append(name, text)
      }
      return { headers: {}, body: form }
    }
    case 'application/x-www-form-urlencoded':
      return {
        headers: { 'content-type': type },
        body: new URLSearchParams(fields).toString(),
      }
    default:
      return { headers: { 'content-type': type }, body: JSON.stringify(value) }
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** A body that ends too early, or is called something else. */
function torn(type: string, value: unknown): Sent {
  const text = JSON.stringify(value)
  return { headers: { 'content-type': type }, body: text.slice(0, text.length - 2) }
}

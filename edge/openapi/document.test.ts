import { readFileSync } from 'node:fs'
import { Validator } from '@seriousme/openapi-schema-validator'
import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import { chatRenderer } from '../../shared/api/chat/render.ts'
import type { Renderer } from '../../shared/api/doors/renderer.ts'
import { type ErrorCode, errorKinds, errorBody, ServiceError } from '../../shared/api/errors.ts'
import type { Ending, SampledLogprob } from '../../shared/api/events.ts'
import { messagesRenderer } from '../../shared/api/messages/render.ts'
import { nativeRenderer } from '../../shared/api/native/render.ts'
import { responsesRenderer } from '../../shared/api/responses/render.ts'
import { edgeRoutes, templated } from '../../shared/api/routes.ts'
import { testPlatform } from '../../test/support/edges/test-platform.ts'
import { createEdgeApp } from '../app.ts'
import {
  errorView,
  generateAnswer,
  streamDelta,
  streamEnd,
  streamQueued,
  streamReasoning,
} from './answers.ts'
import { chatChunk, chatCompletion } from './chat-answers.ts'
import { messageView, responseView } from './other-answers.ts'
import { schemas } from './components.ts'
import { openApiDocument } from './document.ts'
import { routeDocs } from './route-docs.ts'

type Json = Record<string, unknown>
interface Operation {
  readonly security: readonly Json[]
  readonly requestBody?: { readonly content: Json }
  readonly responses: Record<string, { readonly description: string; readonly content: Json }>
}
const document = openApiDocument() as unknown as {
  readonly info: { readonly version: string }
  readonly paths: Record<string, Record<string, Operation>>
  readonly components: { readonly schemas: Record<string, { properties: Record<string, Json> }> }
}
const operations = Object.entries(document.paths).flatMap(([path, methods]) =>
  Object.entries(methods).map(([method, operation]) => ({ path, method, ...operation })),
)
const read = (path: string) => readFileSync(path, 'utf8')
const apiText = read('docs/api.md')

/** `code` -> status, from the table of errors. */
function documentedErrors(): Record<string, number> {
  const rows = apiText.matchAll(/^\| (`\w+`(?:, `\w+`)*) +\| (\d{3}) /gm)
  return Object.fromEntries(
    [...rows].flatMap(([, codes, status]) =>
      [...codes!.matchAll(/\w+/g)].map(([code]) => [code, Number(status)]),
    ),
  )
}

describe('openApiDocument()', () => {
  it('is valid OpenAPI 3.1, with references that lead somewhere', async () => {
    const validator = new Validator()
    const result = await validator.validate(structuredClone(openApiDocument()))
    expect(result.errors).toBeUndefined()
    expect(result.valid).toBe(true)
    expect(validator.version).toBe('3.1')
    const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/(\w+)"/g)
    for (const [, name] of references) expect(document.components.schemas).toHaveProperty(name!)
  })

  it('has the routes of the table, no more and no less, and asks for a key where they do', () => {
    const told = operations.map(({ path, method, security }) => [
      `${method.toUpperCase()} ${path}`,
      security.length > 0,
    ])
    const served = Object.values(edgeRoutes).map(({ method, path, scope }) => [
      `${method} ${templated(path)}`,
      scope !== null,
    ])
    expect(Object.fromEntries(told)).toEqual(Object.fromEntries(served))
    expect(told).toHaveLength(served.length)
  })

  it.each(operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`))(
    'and the documentation both have %s',
    (route) => {
      const texts = ['docs/api.md', 'docs/openai.md', 'docs/mcp.md', 'docs/operations.md']
        .map(read)
        .join('')
        .replaceAll('\n', ' ')
      expect(['`', '?'].some((end) => texts.includes(`${route}${end}`))).toBe(true)
    },
  )

  it('lists every error a client can get, under its status, as the documentation does', () => {
    const told: Record<string, number> = {}
    for (const { responses } of operations) {
      for (const [status, { description }] of Object.entries(responses)) {
        for (const [, code] of description.matchAll(/`(\w+)`/g)) told[code!] = Number(status)
      }
    }
    const { cancelled: _neverSent, method_not_allowed, ...kinds } = errorKinds
    const statuses = Object.entries(kinds).map(([code, { status }]) => [code, status])
    expect(told).toEqual(Object.fromEntries(statuses))
    expect(documentedErrors()).toEqual({ ...told, method_not_allowed: method_not_allowed.status })
  })

  it('and the documentation name the same fields, with the same defaults', () => {
    const table = apiText.slice(apiText.indexOf('| Field '), apiText.indexOf('**Order.**'))
    const rows = table.matchAll(/^\| `(\w+)` +\| (.*?) +\|/gm)
    const documented = new Map([...rows].map(([, name, standard]) => [name!, standard]))
    const { properties } = document.components.schemas.TextRequest!
    expect([...documented.keys()].toSorted()).toEqual(Object.keys(properties).toSorted())
    for (const [name, { default: standard }] of Object.entries(properties)) {
      if (standard === undefined || Array.isArray(standard)) continue
      expect(documented.get(name)?.replaceAll('`', '')).toBe(`${standard as string | number}`)
    }
  })

  it('and the documentation say the same of every field', () => {
    const table = apiText.slice(apiText.indexOf('| Field '), apiText.indexOf('**Order.**'))
    const rows = table.matchAll(/^\| `(\w+)` +\|.*\| (.*?) +\|$/gm)
    const documented = Object.fromEntries([...rows].map(([, name, text]) => [name!, text!]))
    const { properties } = document.components.schemas.TextRequest!
    const told = Object.entries(properties).map(([name, { description }]) => [name, description])
    expect(Object.fromEntries(told)).toEqual(documented)
  })

  it.each(Object.entries(routeDocs).filter(([, { body }]) => body !== undefined))(
    'has an example of %s that its schema takes',
    (_name, { body, example }) => {
      const schema = Object.values(body!)[0]!
      const takes =
        schemas[schema === 'ImageForm' ? 'TextRequest' : (schema as keyof typeof schemas)]
      expect(takes.safeParse(example)).toMatchObject({ success: true })
    },
  )

  it('shows limits that are checked before the schema, and texts in place of lists', () => {
    const { TextRequest, ImageUrlRequest, ImageForm, ChatRequest } = document.components.schemas
    const urls = { type: 'array', items: { type: 'string', minLength: 1 }, minItems: 1 }
    expect(ImageUrlRequest!.properties.image_url).toEqual({
      anyOf: [{ type: 'string' }, { ...urls, maxItems: 16 }],
    })
    expect(TextRequest!.properties.logit_bias).toMatchObject({
      type: 'object',
      maxProperties: 1_024,
    })
    expect(TextRequest!.properties.stop).toMatchObject({
      anyOf: [{ type: 'string' }, { type: 'array', maxItems: 16 }],
    })
    expect(ImageForm!.properties.images).toMatchObject({ type: 'array', maxItems: 16 })
    expect(ChatRequest!.properties.messages).toMatchObject({ type: 'array', maxItems: 2_048 })
    expect(JSON.stringify(document)).not.toMatch(/alsoText|atMost|9007199254740991/)
  })

  it('has the version of the package', () => {
    const { version } = JSON.parse(read('package.json')) as { version: string }
    expect(document.info.version).toBe(version)
  })

  it('is served without a key', async () => {
    const response = await createEdgeApp(testPlatform()).request('/openapi.json')
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual(JSON.parse(JSON.stringify(document)))
  })
})

describe.each([
  ['', false],
  [', with thoughts', true],
])('the schemas of answers%s', (_, reasons) => {
  const token = { token: 'A', id: 5, logprob: -0.5, bytes: Uint8Array.of(65) }
  const logprobs: SampledLogprob[] = [{ ...token, top: [token] }]
  const counts = { prompt_tokens: 9, image_tokens: 4, completion_tokens: 1, cached_tokens: 0 }
  const usage = { ...counts, ...(reasons && { reasoning_tokens: 1 }) }
  const ms = { prepare_ms: 1, queue_ms: 0, vision_ms: 2.5, prefill_ms: 3, decode_ms: 4 }
  const timings = { ...ms, total_ms: 10.5 }
  const reasoning = reasons ? 'Hm' : ''
  const choice = { text: 'A', reasoning, reason: 'timeout' as const, logprobs }
  const facts = { requestId: 'req_1', choices: 2, withLogprobs: true }
  const chatFacts = { ...facts, model: 'kimi-vl', createdAt: 1, withUsage: true, reasons }

  const events = (renderer: Renderer, ending: Ending = choice) =>
    [
      renderer.event({ type: 'queued', position: 1, promptTokens: 9, imageTokens: 4 }),
      reasons ? renderer.event({ type: 'reasoning', index: 1, text: 'Hm' }) : [],
      renderer.event({ type: 'delta', index: 1, text: 'A', logprobs }),
      renderer.event({ type: 'end', endings: [ending, ending], usage, timings }),
      [renderer.failure(new ServiceError('engine_restarted', 'It stopped'))],
    ].map((pieces) =>
      [...[...pieces].join('').matchAll(/^data: (\{.*)$/gm)].map(
        ([, data]) => JSON.parse(data!) as Json,
      ),
    )

  /** Fails on fields that the schema does not have, at any depth. */
  function expectExactly(schema: z.ZodType, value: unknown) {
    const written = JSON.parse(JSON.stringify(value)) as unknown
    expect(schema.parse(written)).toEqual(written)
  }

  /** Asserts that every event in the document occurred, each exactly in its documented form. */
  function expectDocumented(route: 'responses' | 'messages', seen: readonly Json[]) {
    const documented = routeDocs[route].stream!.events as Record<string, keyof typeof schemas>
    for (const event of seen) expectExactly(schemas[documented[String(event['type'])]!], event)
    const names = new Set(seen.map(({ type }) => type))
    const expected = Object.keys(documented).filter((name) => reasons || !/reasoning/.test(name))
    expect(names).toEqual(new Set(expected))
  }

  it('are those of native answers', () => {
    const renderer = nativeRenderer(facts)
    expectExactly(generateAnswer, renderer.whole({ choices: [choice, choice], usage, timings }))
    const [queued, thought, delta, end, failure] = events(renderer)
    expectExactly(z.tuple([streamQueued]), queued)
    expectExactly(z.array(streamReasoning).length(reasons ? 1 : 0), thought)
    expectExactly(z.tuple([streamDelta]), delta)
    expectExactly(z.tuple([streamEnd]), end)
    expectExactly(z.tuple([errorView]), failure)
  })

  it('are those of chat completions', () => {
    const renderer = chatRenderer(chatFacts)
    expectExactly(chatCompletion, renderer.whole({ choices: [choice, choice], usage, timings }))
    const [queued, thought, delta, end, failure] = events(renderer)
    expectExactly(z.tuple([chatChunk, chatChunk]), queued)
    expectExactly(z.array(chatChunk).length(reasons ? 1 : 0), thought)
    expectExactly(z.tuple([chatChunk]), delta)
    expectExactly(z.array(chatChunk).length(3), end)
    expectExactly(z.tuple([errorView]), failure)
  })

  it('are those of responses and messages', () => {
    const echo = {
      instructions: null,
      max_output_tokens: 5,
      metadata: {},
      temperature: 0,
      top_p: 1,
      top_logprobs: 1,
      text: { format: { type: 'text' } },
    }
    const response = () => responsesRenderer({ ...chatFacts, echo })
    expectExactly(responseView, response().whole({ choices: [choice], usage, timings }))
    const endings: Ending[] = [{ reason: 'stop' }, { reason: 'length' }]
    expectDocumented('responses', endings.flatMap((each) => events(response(), each)).flat())
    const message = messagesRenderer(chatFacts)
    expectExactly(messageView, message.whole({ choices: [choice], usage, timings }))
    expectDocumented('messages', events(message).flat())
  })

  it.each(Object.keys(errorKinds) as ErrorCode[])('are those of the error %s', (code) => {
    expectExactly(errorView, errorBody(new ServiceError(code, 'No'), 'req_1'))
  })
})

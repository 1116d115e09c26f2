import type { Context, Hono } from 'hono'
import { ServiceError } from '../../shared/api/errors.ts'
import { formToObject } from '../../shared/api/form.ts'
import {
  generateFields,
  imageUrlFields,
  parseFields,
  wantsStream,
  type GenerateFields,
} from '../../shared/api/request.ts'
import type { GenerationEvent, Usage } from '../../shared/api/events.ts'
import { formatOf } from '../../shared/api/response-format.ts'
import { routes } from '../../shared/api/routes.ts'
import { samplingOf } from '../../shared/api/sampling-fields.ts'
import type { FetchOptions } from '../../shared/fetch/fetch-image.ts'
import { fetchImages } from '../../shared/fetch/fetch-images.ts'
import { forwardHeaders } from '../../shared/forward/headers.ts'
import type { Describe } from '../describe.ts'
import type { BackendEnv, Exchange } from './exchange.ts'
import { checkImages, grantOf } from './grant.ts'
import { mediaTypeOf } from './media-type.ts'
import { readTextMultipart, readUrlForm } from './read-form.ts'
import { readJson } from './read-json.ts'
import { readMultipart } from './read-multipart.ts'
import { streamedAnswer, wholeAnswer, type StreamOptions } from './render.ts'

export interface GenerateParts {
  readonly describe: Describe
  /** Where images of URLs come from: public addresses only. */
  readonly images: Pick<FetchOptions, 'transport' | 'hosts'>
  readonly streaming: StreamOptions
}

/** How clients spell the field that files come in. The first is the documented one. */
const imageFileFields: ReadonlySet<string> = new Set(['images', 'image'])

const json = 'application/json'
const urlEncoded = 'application/x-www-form-urlencoded'
const multipart = 'multipart/form-data'

/** The three endpoints: read the body, check it once, fetch what it names, answer. */
export function mountGenerateRoutes(app: Hono<BackendEnv>, parts: GenerateParts): void {
  app.post(routes.text.path, async (c) => {
    const { incoming } = c.env
    mediaTypeOf(incoming.headers, [json])
    const fields = parseFields(generateFields, await readJson(incoming, c.get('exchange')))
    return answer(c, fields, [], parts)
  })

  app.post(routes.image.path, async (c) => {
    const { incoming } = c.env
    mediaTypeOf(incoming.headers, [multipart])
    const form = await readMultipart(incoming, c.get('exchange'), imageFileFields)
    const fields = parseFields(generateFields, formToObject(form.fields))
    checkFiles(form.files)
    checkImages(form.files.length, grantOf(c.req), 'images')
    return answer(c, fields, form.files, parts)
  })

  app.post(routes.imageUrl.path, async (c) => {
    const exchange = c.get('exchange')
    const { image_url: urls, ...fields } = parseFields(imageUrlFields, await readUrlRequest(c))
    checkImages(urls.length, grantOf(c.req), 'image_url')
    const images = await fetchImages(urls, parts.images, exchange.signal)
    return answer(
      c,
      fields,
      images.map((image) => image.bytes),
      parts,
    )
  })
}

function readUrlRequest(c: Context<BackendEnv>): Promise<unknown> {
  const { incoming } = c.env
  const exchange = c.get('exchange')
  switch (mediaTypeOf(incoming.headers, [json, urlEncoded, multipart])) {
    case json:
      return readJson(incoming, exchange)
    case urlEncoded:
      return readUrlForm(incoming, exchange)
    case multipart:
      return readTextMultipart(incoming, exchange)
  }
}

function checkFiles(files: readonly Uint8Array[]): void {
  if (files.length === 0) {
    const message = 'At least one image file is required, sent as "images"'
    throw new ServiceError('missing_images', message, { param: 'images' })
  }
  const empty = files.findIndex((file) => file.length === 0)
  if (empty < 0) return
  throw new ServiceError('empty_image', `Image ${empty + 1} is empty`, { param: 'images' })
}

async function answer(
  c: Context<BackendEnv>,
  fields: GenerateFields,
  images: readonly Uint8Array[],
  { describe, streaming }: GenerateParts,
): Promise<Response> {
  const exchange = c.get('exchange')
  const stream = wantsStream(fields, c.req.header('accept') ?? null)
  Object.assign(exchange.facts, { stream, images: images.length })
  const request = {
    requestId: exchange.requestId,
    tenant: exchange.tenant,
    priority: fields.priority,
    timeoutMs: Math.min(fields.timeout_ms ?? Infinity, exchange.msToAnswer),
    prompt: fields.prompt,
    systemPrompt: fields.system_prompt,
    images,
    maxTokens: fields.max_tokens,
    grantedTokens: grantOf(c.req).tokens,
    sampling: samplingOf(fields),
    stop: fields.stop,
    choices: fields.n,
    format: formatOf(fields.response_format),
    topLogprobs: fields.logprobs ? (fields.top_logprobs ?? 0) : undefined,
    onUsage: (usage: Usage) => {
      exchange.facts.usage = usage
    },
  }
  const events = releasing(describe(request, exchange.signal), exchange)
  const response = await (stream
    ? streamedAnswer(events, exchange, { ...streaming, choices: fields.n })
    : wholeAnswer(events, exchange, fields.logprobs))
  response.headers.set(forwardHeaders.imageCount, String(images.length))
  return response
}

/** The first event tells that the request is prepared: files have become patches. */
async function* releasing(
  events: AsyncIterable<GenerationEvent>,
  exchange: Exchange,
): AsyncGenerator<GenerationEvent> {
  for await (const event of events) {
    exchange.releaseBody()
    yield event
  }
}

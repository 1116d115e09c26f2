import type { Context, Hono } from 'hono'
import { ServiceError } from '../../../shared/api/errors.ts'
import { formToObject } from '../../../shared/api/request/form.ts'
import {
  generateFields,
  imageUrlFields,
  parseFields,
  wantsStream,
  type GenerateFields,
} from '../../../shared/api/request/request.ts'
import { withPreset } from '../../../shared/api/request/preset.ts'
import type { ImageSource } from '../../../shared/conversation/conversation.ts'
import { askedNatively } from '../../../shared/api/native/read-request.ts'
import { nativeRenderer } from '../../../shared/api/native/render.ts'
import { routes } from '../../../shared/api/routes.ts'
import { answerConversation, type AnswerParts } from '../answer/answer-conversation.ts'
import type { BackendEnv } from '../exchange/exchange.ts'
import { mediaTypeOf } from '../body/media-type.ts'
import { readTextMultipart, readUrlForm } from '../body/read-form.ts'
import type { ServedModel } from './models.ts'
import { readJson } from '../body/read-json.ts'
import { readMultipart } from '../body/read-multipart.ts'

/** Accepted names of the form field that holds files. The first is the documented one. */
const imageFileFields: ReadonlySet<string> = new Set(['images', 'image'])

const json = 'application/json'
const urlEncoded = 'application/x-www-form-urlencoded'
const multipart = 'multipart/form-data'

/** The three endpoints: read the body, validate it once, fetch what it names, answer. */
export function mountGenerateRoutes(
  app: Hono<BackendEnv>,
  parts: AnswerParts,
  { recommended }: ServedModel,
): void {
  app.post(routes.text.path, async (c) => {
    const { incoming } = c.env
    mediaTypeOf(incoming.headers, [json])
    const sent = await readJson(incoming, c.get('exchange'))
    const fields = parseFields(generateFields, withPreset(sent, recommended))
    return answer(c, fields, [], 'images', parts)
  })

  app.post(routes.image.path, async (c) => {
    const { incoming } = c.env
    mediaTypeOf(incoming.headers, [multipart])
    const form = await readMultipart(incoming, c.get('exchange'), imageFileFields)
    const sent = formToObject(form.fields)
    const fields = parseFields(generateFields, withPreset(sent, recommended))
    checkFiles(form.files)
    const files = form.files.map((bytes) => ({ kind: 'file', bytes }) as const)
    return answer(c, fields, files, 'images', parts)
  })

  app.post(routes.imageUrl.path, async (c) => {
    const sent = withPreset(await readUrlRequest(c), recommended)
    const { image_url: urls, ...fields } = parseFields(imageUrlFields, sent)
    const images = urls.map((url) => ({ kind: 'url', url }) as const)
    return answer(c, fields, images, 'image_url', parts)
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

function answer(
  c: Context<BackendEnv>,
  fields: GenerateFields,
  images: readonly ImageSource[],
  param: string,
  parts: AnswerParts,
): Promise<Response> {
  const { requestId } = c.get('exchange')
  const { n: choices, logprobs: withLogprobs } = fields
  return answerConversation(c, parts, {
    asked: askedNatively(fields, images, param),
    stream: wantsStream(fields, c.req.header('accept') ?? null),
    renderer: nativeRenderer({ requestId, choices, withLogprobs }),
  })
}

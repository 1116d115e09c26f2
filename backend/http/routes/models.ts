import type { Hono, MiddlewareHandler } from 'hono'
import { ServiceError } from '../../../shared/api/errors.ts'
import { jsonAnswer } from '../../../shared/api/wire/json-answer.ts'
import { maxImages } from '../../../shared/api/limits.ts'
import type { RecommendedRules } from '../../../shared/api/request/preset.ts'
import { routes } from '../../../shared/api/routes.ts'
import { forwardHeaders } from '../../../shared/forward/headers.ts'
import type { BackendEnv } from '../exchange/exchange.ts'

/** The running model, as its clients see it. */
export interface ServedModel {
  readonly id: string
  /** Other names that it answers to. */
  readonly aliases: readonly string[]
  /** Seconds since 1970; when this server began to serve it. */
  readonly createdAt: number
  /** Tokens of prompt, images and answer together; may change while engines elsewhere come and go. */
  readonly contextTokens: number
  /** Tokens to which images are scaled down. */
  readonly imageTokens: number
  /** The most tokens of one image: padding comes after scaling. */
  readonly mostImageTokens: number
  /** What its authors recommend, for requests with `preset: "model"`. */
  readonly recommended: RecommendedRules
  /** Whether it thinks before it answers. */
  readonly reasons: boolean
}

/** `GET /v1/models` and `GET /v1/models/{id}` in OpenAI's form and Anthropic's at once, with additional fields of our own. */
export function mountModelRoutes(app: Hono<BackendEnv>, model: ServedModel): void {
  app.get(routes.models.path, () => {
    const names = [model.id, ...model.aliases]
    const data = names.map((name) => modelView(model, name))
    const page = { first_id: names[0], last_id: names.at(-1), has_more: false }
    return jsonAnswer({ object: 'list', data, ...page })
  })
  app.get(routes.model.path, (c) => {
    const name = c.req.param('id')
    checkModel(model, name)
    return jsonAnswer(modelView(model, name))
  })
}

/** States in every answer, errors included, what an image may cost: the edge reserves that much for it. */
export function stateImageTokens({ mostImageTokens }: ServedModel): MiddlewareHandler<BackendEnv> {
  return async (c, next) => {
    await next()
    c.res.headers.set(forwardHeaders.imageTokens, String(mostImageTokens))
  }
}

/** Characters of a name that an error repeats: enough to recognise it. */
const maxQuotedChars = 100

/** @throws {ServiceError} `model_not_found` for a name that the model does not have */
export function checkModel(
  { id, aliases }: Pick<ServedModel, 'id' | 'aliases'>,
  name: string,
): void {
  if (name === id || aliases.includes(name)) return
  const quoted = name.slice(0, maxQuotedChars).toWellFormed()
  const message = `There is no model "${quoted}" here; GET ${routes.models.path} lists the models`
  throw new ServiceError('model_not_found', message, { param: 'model' })
}

/** A model as clients see it. @param name one of its names */
export function modelView(model: ServedModel, name: string) {
  return {
    id: name,
    object: 'model',
    created: model.createdAt,
    owned_by: 'describe-server',
    type: 'model',
    display_name: name,
    created_at: new Date(model.createdAt * 1_000).toISOString(),
    max_input_tokens: model.contextTokens,
    max_tokens: model.contextTokens,
    context_length: model.contextTokens,
    input_modalities: ['text', 'image'],
    max_images: maxImages,
    image_tokens: model.imageTokens,
    preset: Object.keys(model.recommended).length > 0 ? model.recommended : null,
    reasoning: model.reasons,
  }
}

import type { Context } from 'hono'
import type { GenerationEvent, Usage } from '../../shared/api/events.ts'
import type { Renderer } from '../../shared/api/doors/renderer.ts'
import { type Asked, imagesOf } from '../../shared/conversation/conversation.ts'
import { forwardHeaders } from '../../shared/forward/headers.ts'
import type { Describe } from '../describe.ts'
import type { BackendEnv, Exchange } from './exchange.ts'
import { gatherImages, type ImageWeb } from './gather-images.ts'
import { checkImages, grantOf } from './grant.ts'
import type { LiftedJson } from './lifting-reader.ts'
import { streamedAnswer, wholeAnswer, type StreamOptions } from './render.ts'

export interface AnswerParts {
  readonly describe: Describe
  /** Access to images given by URL: public addresses only. */
  readonly images: ImageWeb
  readonly streaming: StreamOptions
}

/** A conversation to continue, and how to answer it. */
export interface Conversation {
  readonly asked: Asked
  readonly stream: boolean
  /** Formats the answer for the API through which the request came. */
  readonly renderer: Renderer
  /** Finds the texts that were lifted out of the request. */
  readonly lifted?: LiftedJson['lifted']
}

/**
 * Answers a conversation regardless of the API it came through: fetches the images it names, and generates.
 * @throws {ServiceError} before the answer begins
 */
export async function answerConversation(
  c: Context<BackendEnv>,
  parts: AnswerParts,
  { stream, renderer, ...conversation }: Conversation,
): Promise<Response> {
  const exchange = c.get('exchange')
  exchange.facts.stream = stream
  const events = await continueConversation(c, parts, conversation)
  const response = await (stream
    ? streamedAnswer(events, exchange, renderer, parts.streaming)
    : wholeAnswer(events, exchange, renderer))
  response.headers.set(forwardHeaders.imageCount, String(imagesOf(conversation.asked.turns).length))
  return response
}

/**
 * The answer to a conversation as it comes, once its images are there.
 * @throws {ServiceError} `quota_exceeded`, or what `gatherImages` throws
 */
export async function continueConversation(
  c: Context<BackendEnv>,
  { describe, images: source }: Pick<AnswerParts, 'describe' | 'images'>,
  { asked, lifted = () => undefined }: Pick<Conversation, 'asked' | 'lifted'>,
): Promise<AsyncIterable<GenerationEvent>> {
  const exchange = c.get('exchange')
  const { turns, ...rules } = asked
  const places = imagesOf(turns)
  const grant = grantOf(c.req)
  checkImages(places.length, grant, places[0]?.param ?? 'images')
  Object.assign(exchange.facts, { images: places.length, choices: asked.choices })
  const images = await gatherImages(places, source, lifted, exchange.signal)
  const request = {
    ...rules,
    tenant: exchange.tenant,
    timeoutMs: Math.min(asked.timeoutMs ?? Infinity, exchange.msToAnswer),
    messages: turns.map(({ role, parts }) => ({ role, content: parts })),
    images,
    grantedTokens: grant.tokens,
    onUsage: (usage: Usage) => {
      exchange.facts.usage = usage
    },
  }
  return releasing(describe(request, exchange.signal), exchange)
}

/** The first event shows that the request is prepared: files have become patches. */
async function* releasing(
  events: AsyncIterable<GenerationEvent>,
  exchange: Exchange,
): AsyncGenerator<GenerationEvent> {
  for await (const event of events) {
    exchange.releaseBody()
    yield event
  }
}

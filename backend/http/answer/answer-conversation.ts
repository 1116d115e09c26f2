import type { Context } from 'hono'
import type { GenerationEvent, Usage } from '../../../shared/api/events.ts'
import type { Renderer } from '../../../shared/api/doors/renderer.ts'
import { type Asked, imagesOf, type Turn } from '../../../shared/conversation/conversation.ts'
import { forwardHeaders } from '../../../shared/forward/headers.ts'
import type { CountRequest, DescribeRequest, Describer } from '../../describe.ts'
import type { BackendEnv, Exchange } from '../exchange/exchange.ts'
import { gatherImages, type ImageWeb } from '../body/gather-images.ts'
import { checkImages, grantOf } from '../exchange/grant.ts'
import type { LiftedJson } from '../body/lifting-reader.ts'
import { streamedAnswer, wholeAnswer, type StreamOptions } from './render.ts'

export interface AnswerParts {
  /** @throws {ServiceError} `model_loading` until there is one */
  readonly describer: () => Describer
  /** Access to images given by URL: public addresses only. */
  readonly images: ImageWeb
  readonly streaming: StreamOptions
  /** Called with the milliseconds between two arrivals of tokens of a choice. */
  readonly onTokenGap: (ms: number) => void
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
  const images = imagesOf(conversation.asked.turns).length
  response.headers.set(forwardHeaders.imageCount, String(images))
  return response
}

/**
 * The events of the answer to a conversation, once its images are there.
 * @throws {ServiceError} before the answer begins
 */
export async function continueConversation(
  c: Context<BackendEnv>,
  parts: AnswerParts,
  { asked, lifted = () => undefined }: Pick<Conversation, 'asked' | 'lifted'>,
): Promise<AsyncIterable<GenerationEvent>> {
  const exchange = c.get('exchange')
  const { turns, ...rules } = asked
  const places = imagesOf(turns)
  const grant = grantOf(c.req)
  checkImages(places.length, grant, places[0]?.param ?? 'images')
  const { choices, maxTokens } = asked
  Object.assign(exchange.facts, { images: places.length, choices, maxTokens })
  const describer = parts.describer()
  const noteTokens = gapMeter(parts)
  const request = {
    ...rules,
    ...(await toDescribe(turns, parts, lifted, exchange)),
    timeoutMs: Math.min(asked.timeoutMs ?? Infinity, exchange.msToAnswer),
    grantedTokens: grant.tokens,
    onUsage: (usage: Usage, choice: number) => {
      exchange.facts.usage = usage
      noteTokens(choice)
    },
    onPhase: phaseRecorder(exchange, parts.streaming.now),
  }
  return releasing(describer.describe(request, exchange.signal), exchange)
}

/** @returns a function to call as tokens of a choice arrive */
function gapMeter({ streaming: { now }, onTokenGap }: AnswerParts): (choice: number) => void {
  const latest = new Map<number, number>()
  return (choice) => {
    const at = now()
    const before = latest.get(choice)
    latest.set(choice, at)
    if (before !== undefined) onTokenGap(at - before)
  }
}

/** Undefined for a request that is not traced: then the engine reports no phases. */
function phaseRecorder({ span, phases }: Exchange, now: () => number): DescribeRequest['onPhase'] {
  if (span === undefined || !span.isRecorded) return undefined
  return (phase, epochMs) =>
    phases.enter(phase, epochMs === undefined ? now() : span.fromEpoch(epochMs))
}

/** How many tokens a conversation is, its images included. @throws {ServiceError} as `answerConversation` */
export async function countTokens(
  c: Context<BackendEnv>,
  parts: AnswerParts,
  { asked, lifted }: Required<Pick<Conversation, 'asked' | 'lifted'>>,
): Promise<number> {
  const exchange = c.get('exchange')
  Object.assign(exchange.facts, { images: imagesOf(asked.turns).length })
  const request = await toDescribe(asked.turns, parts, lifted, exchange)
  return parts.describer().count(request, exchange.signal)
}

/** The conversation with its images at hand. */
async function toDescribe(
  turns: readonly Turn[],
  { images: web, streaming: { now } }: AnswerParts,
  lifted: LiftedJson['lifted'],
  { tenant, signal, span, phases }: Exchange,
): Promise<CountRequest> {
  const isFetched = imagesOf(turns).some(({ source }) => source.kind === 'url')
  if (span !== undefined && isFetched) phases.enter('fetch', now())
  const images = await gatherImages(imagesOf(turns), web, lifted, signal)
  return { tenant, messages: turns.map(({ role, parts }) => ({ role, content: parts })), images }
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

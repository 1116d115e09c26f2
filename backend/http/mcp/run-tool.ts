import type { ServerContext } from '@modelcontextprotocol/server'
import type { Context } from 'hono'
import { ServiceError } from '../../../shared/api/errors.ts'
import type { GenerationEvent } from '../../../shared/api/events.ts'
import { toolTimeoutMs } from '../../../shared/api/mcp/tool-limits.ts'
import type { Seen, ToolQuestion } from '../../../shared/api/mcp/tools.ts'
import { mayBeBase64 } from '../../../shared/api/wire/base64-text.ts'
import type { Asked, ImageSource, Part } from '../../../shared/conversation/conversation.ts'
import { type AnswerParts, continueConversation } from '../answer/answer-conversation.ts'
import { checkScopes } from '../exchange/check-scopes.ts'
import type { BackendEnv } from '../exchange/exchange.ts'
import type { LiftedJson } from '../body/lifting-reader.ts'
import { watched } from '../answer/render.ts'

interface ToolRun {
  readonly c: Context<BackendEnv>
  readonly parts: AnswerParts
  /** Finds images that were lifted out of the request. */
  readonly lifted: LiftedJson['lifted']
  readonly mcpReq: Pick<ServerContext['mcpReq'], '_meta' | 'notify'>
}

/** Milliseconds between two reports of progress. */
const progressMs = 250

/** The model's answer to a tool call. @throws {ServiceError} */
export async function runTool(
  { c, parts, lifted, mcpReq }: ToolRun,
  question: ToolQuestion,
): Promise<Seen> {
  const exchange = c.get('exchange')
  const asked = askedOf(question, lifted)
  checkScopes(c.req, asked.turns)
  exchange.facts.stream = false
  const events = await continueConversation(c, parts, { asked, lifted })
  const report = progressReporter(mcpReq, question.maxTokens)
  let text = ''
  for await (const event of watched(events, exchange)) {
    if (event.type === 'delta') text += event.text
    if (event.type === 'delta' || event.type === 'reasoning') {
      await report(exchange.facts.usage?.completion_tokens ?? 0)
    }
    if (event.type === 'end') return seenOf(text, event)
  }
  throw new TypeError('Events end with their last one')
}

function seenOf(text: string, end: Extract<GenerationEvent, { type: 'end' }>): Seen {
  const { prompt_tokens, image_tokens, completion_tokens } = end.usage
  return {
    text,
    finish_reason: end.endings[0].reason,
    usage: { prompt_tokens, image_tokens, completion_tokens },
  }
}

/** Reports the number of tokens so far to a client that asked for progress. */
function progressReporter(
  { _meta, notify }: ToolRun['mcpReq'],
  total: number,
): (progress: number) => Promise<void> {
  const progressToken = _meta?.progressToken
  let reportedAt = -Infinity
  return async (progress) => {
    const now = performance.now()
    if (progressToken === undefined || now - reportedAt < progressMs) return
    reportedAt = now
    await notify({ method: 'notifications/progress', params: { progressToken, progress, total } })
  }
}

function askedOf(
  { images, question, maxTokens }: ToolQuestion,
  lifted: LiftedJson['lifted'],
): Asked {
  const looks = images.map(({ text, param }): Part => {
    return { type: 'image', source: sourceOf(text, param, lifted), detail: 'high', param }
  })
  return {
    turns: [{ role: 'user', parts: [...looks, { type: 'text', text: question }] }],
    sampling: { temperature: 0 },
    stop: [],
    choices: 1,
    topLogprobs: undefined,
    maxTokens,
    timeoutMs: toolTimeoutMs,
    priority: 'interactive',
  }
}

/** @throws {ServiceError} `invalid_field` for anything else, such as a path: no file of this machine is read */
function sourceOf(text: string, param: string, lifted: LiftedJson['lifted']): ImageSource {
  if (/^https?:/i.test(text)) return { kind: 'url', url: text }
  const head = Buffer.from(lifted(text)?.[0]?.subarray(0, 5) ?? []).toString('latin1') || text
  if (/^data:/i.test(head)) return { kind: 'data_uri', text }
  if (lifted(text) !== undefined || mayBeBase64(text)) {
    return { kind: 'base64', text }
  }
  const message = `${param}: expected an http(s) URL, a data URI or base64; the server reads no files`
  throw new ServiceError('invalid_field', message, { param })
}

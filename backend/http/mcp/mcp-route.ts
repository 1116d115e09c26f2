import { randomUUID } from 'node:crypto'
import { createMcpHandler } from '@modelcontextprotocol/server'
import type { Context, Hono } from 'hono'
import { createToolServer } from '../../../shared/api/mcp/create-server.ts'
import { type McpMessage, peekMessage } from '../../../shared/api/mcp/peek-message.ts'
import { tools } from '../../../shared/api/mcp/tools.ts'
import { ServiceError } from '../../../shared/api/errors.ts'
import { routes } from '../../../shared/api/routes.ts'
import { isVisibleAscii } from '../../../shared/api/wire/visible-ascii.ts'
import { forwardHeaders } from '../../../shared/forward/headers.ts'
import type { AnswerParts } from '../answer/answer-conversation.ts'
import type { BackendEnv, RunningExchanges } from '../exchange/exchange.ts'
import type { ImagePlaces } from '../body/lifting-reader.ts'
import { readLifted } from '../body/read-lifted.ts'
import { meteredAnswer } from './metered-answer.ts'
import { runTool } from './run-tool.ts'

/** What precedes an image: the name of its argument, or the previous item of a list. */
const imageArguments: ImagePlaces = {
  before: /(?:"image"\s*:|"images"\s*:\s*\[|,)\s*"$/,
  inLists: true,
}

const sessionHeader = 'mcp-session-id'

/** Longest name of a session, in characters; ours have 36. */
const maxSessionChars = 128

/**
 * `POST /mcp`: tools for agents over the Model Context Protocol's streamable HTTP, both in its current form and in the
 * earlier one with sessions. No request depends on another, so that any backend can answer it.
 * @param model whether it thinks before it answers
 */
export function mountMcpRoute(
  app: Hono<BackendEnv>,
  parts: AnswerParts,
  running: RunningExchanges,
  model: { readonly reasons: boolean },
): void {
  const offered = tools('An http(s) URL, a data URI or base64 of a picture', model.reasons)
  app.post(routes.mcp.path, async (c) => {
    const exchange = c.get('exchange')
    const { value, lifted } = await readLifted(c, imageArguments)
    // A batch, which one old version of the protocol had, could hold any number of calls.
    if (Array.isArray(value)) throw oneMessageOnly()
    const message = peekMessage(value)
    const session = sessionOf(c)
    cancelNamed(message, session, exchange.tenant, running)
    if (message.call !== undefined) exchange.tag = tagOf(exchange.tenant, session, message.id)

    const serve = () =>
      createToolServer(
        offered,
        async (tool, given, { mcpReq }) => runTool({ c, parts, lifted, mcpReq }, tool.ask(given)),
        (thrown) => exchange.noteFailure(thrown),
      )
    const handler = createMcpHandler(serve, {
      responseMode: 'sse',
      // Comments that name the request replace its heartbeats, and the list of tools never changes.
      keepAliveMs: 0,
      maxSubscriptions: 0,
    })
    const headers = new Headers(c.req.raw.headers)
    // Required by the protocol, and forgotten by simple clients, which get the usual answer.
    headers.set('accept', 'application/json, text/event-stream')
    const request = new Request(c.req.url, { method: 'POST', headers, signal: exchange.signal })
    const answer = await handler.fetch(request, { parsedBody: value })
    const response = meteredAnswer(answer, { exchange, message, ...parts.streaming })
    response.headers.set(forwardHeaders.imageCount, String(message.call?.images ?? 0))
    if (message.method === 'initialize') response.headers.set(sessionHeader, randomUUID())
    return response
  })
}

/**
 * Clients of the earlier protocol cancel by a message of its own and keep the stream open. Every client counts its
 * request ids from 0, so clients are distinguished by the session, of which only the name exists.
 */
function cancelNamed(
  { cancels }: McpMessage,
  session: string | undefined,
  tenant: string,
  running: RunningExchanges,
): void {
  const tag = tagOf(tenant, session, cancels)
  if (tag === undefined) return
  running.abortTagged(tag, new ServiceError('cancelled', 'The client cancelled the request'))
}

function tagOf(
  tenant: string,
  session: string | undefined,
  id: string | number | undefined,
): string | undefined {
  if (session === undefined || id === undefined) return undefined
  return JSON.stringify([tenant, session, id])
}

function sessionOf(c: Context<BackendEnv>): string | undefined {
  const session = c.req.header(sessionHeader)
  return session !== undefined && isVisibleAscii(session, maxSessionChars) ? session : undefined
}

function oneMessageOnly(): ServiceError {
  return new ServiceError('invalid_json', 'Expected a single JSON-RPC message, received a list')
}

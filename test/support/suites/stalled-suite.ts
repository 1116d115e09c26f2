import type { ServerResponse } from 'node:http'
import { Anthropic } from '@anthropic-ai/sdk'
import { createOpenResponses } from '@ai-sdk/open-responses'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { streamText } from 'ai'
import { OpenAI } from 'openai'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { chatRenderer } from '../../../shared/api/chat/render.ts'
import type { Renderer } from '../../../shared/api/doors/renderer.ts'
import { ServiceError } from '../../../shared/api/errors.ts'
import { formatAnsweringComment, mcpErrors } from '../../../shared/api/mcp/error-form.ts'
import { messagesRenderer } from '../../../shared/api/messages/render.ts'
import { responsesRenderer } from '../../../shared/api/responses/render.ts'
import { formatFailedComment } from '../../../shared/forward/usage-comment.ts'
import { createCertificates } from '../../../shared/node/certificates/create-certificates.ts'
import type { EdgeSettings } from './edge-suite.ts'
import { answerJson, RecordingBackend, type SeenRequest } from '../backends/recording-backend.ts'

const rootKey = 'stalled-key-3f9d0c7a51b2'

interface StalledEdge {
  readonly url: string
  stop(): Promise<void>
}

/** What becomes of a stream that has begun; a prompt names the one it asks for. */
const fates = ['stalls', 'stalls-within-an-event', 'is-cut', 'fails'] as const
type Fate = (typeof fates)[number]

const promptFor = (fate: Fate) => `[${fate}] What is this?`

const facts = { requestId: 'req_1', model: 'kimi-vl', createdAt: 1, reasons: false }
const echo = {
  instructions: null,
  max_output_tokens: null,
  metadata: {},
  temperature: 1,
  top_p: 1,
  top_logprobs: 0,
  text: { format: { type: 'text' } },
}
const renderers: Record<string, () => Renderer> = {
  '/v1/chat/completions': () =>
    chatRenderer({ ...facts, choices: 1, withLogprobs: false, withUsage: false }),
  '/v1/responses': () => responsesRenderer({ ...facts, echo }),
  '/v1/messages': () => messagesRenderer(facts),
}

const restarted = new ServiceError('engine_restarted', 'It was restarted')

/** The beginning of an answer, and how the backend says that it failed. */
async function beginningOf({
  path,
  body,
}: SeenRequest): Promise<{ begun: string; failure: string }> {
  const failed = formatFailedComment(restarted.code)
  const renderer = renderers[path]?.()
  if (renderer === undefined) {
    const { id } = JSON.parse(String(await body)) as { id: number }
    const begun = formatAnsweringComment(id)
    return { begun, failure: mcpErrors.streamed(restarted, 'req_1', begun) + failed }
  }
  const begun = [
    ...renderer.event({ type: 'queued', position: 0, promptTokens: 9, imageTokens: 0 }),
    ...renderer.event({ type: 'delta', index: 0, text: 'A red' }),
  ].join('')
  return { begun, failure: renderer.failure(restarted) + failed }
}

/** The answer to what an MCP client says before it calls a tool; undefined for the call. */
async function greetingTo({
  body,
}: SeenRequest): Promise<{ status: number; body: object } | undefined> {
  const { id, method } = JSON.parse(String(await body)) as { id?: number; method: string }
  switch (method) {
    case 'tools/call':
      return undefined
    case 'initialize': {
      const serverInfo = { name: 'a', version: '1' }
      const result = { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo }
      return { status: 200, body: { jsonrpc: '2.0', id, result } }
    }
    case 'notifications/initialized':
      return { status: 202, body: {} }
    default:
      return { status: 200, body: { jsonrpc: '2.0', id, error: { code: -32_601, message: 'No' } } }
  }
}

/** A stand-in for the backend whose answers do not come to their end. */
async function suffer(seen: SeenRequest, response: ServerResponse): Promise<void> {
  const greeting = seen.path === '/mcp' ? await greetingTo(seen) : undefined
  if (greeting !== undefined) return answerJson(greeting.status, greeting.body)(seen, response)
  const asked = String(await seen.body)
  const fate = fates.find((each) => asked.includes(promptFor(each)))
  const { begun, failure } = await beginningOf(seen)
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.write(begun)
  if (fate === 'fails') response.end(failure)
  if (fate === 'stalls-within-an-event') response.write('data: {"half')
  if (fate === 'is-cut') setTimeout(() => response.destroy(), 20)
}

/** Every client, reading a stream to its end; each rejects when it notices that something is wrong. */
function readers(url: string, prompt: string): Record<string, () => Promise<unknown>> {
  const openai = new OpenAI({ apiKey: rootKey, baseURL: `${url}/v1`, maxRetries: 0 })
  const anthropic = new Anthropic({ apiKey: rootKey, baseURL: url, maxRetries: 0 })
  const asked = { model: 'kimi-vl', messages: [{ role: 'user' as const, content: prompt }] }
  const all = async (stream: AsyncIterable<unknown>) => {
    for await (const event of stream) void event
  }
  const withAi = async (model: Parameters<typeof streamText>[0]['model']) => {
    const { fullStream } = streamText({ model, prompt, maxRetries: 0, onError: () => undefined })
    for await (const part of fullStream) {
      if (part.type === 'error') throw new Error('noticed', { cause: part.error })
      // How it passes on `response.failed`.
      if (part.type === 'finish' && part.finishReason === 'error') throw new Error('noticed')
    }
  }
  const callTool = async () => {
    const client = new Client({ name: 'test', version: '1' })
    const requestInit = { headers: { authorization: `Bearer ${rootKey}` } }
    const transport = new StreamableHTTPClientTransport(new URL(`${url}/mcp`), { requestInit })
    await client.connect(transport)
    try {
      await client.callTool({ name: 'describe_image', arguments: { prompt } })
    } finally {
      await client.close()
    }
  }
  return {
    'openai, chat': async () =>
      all(await openai.chat.completions.create({ ...asked, stream: true })),
    'openai, chat, gathered': () => openai.chat.completions.stream(asked).finalContent(),
    'openai, responses': async () =>
      all(await openai.responses.create({ model: 'kimi-vl', input: prompt, stream: true })),
    'openai, responses, gathered': () =>
      openai.responses.stream({ model: 'kimi-vl', input: prompt }).finalResponse(),
    'anthropic, messages': async () =>
      all(await anthropic.messages.create({ ...asked, max_tokens: 9, stream: true })),
    'anthropic, messages, gathered': () =>
      anthropic.messages.stream({ ...asked, max_tokens: 9 }).finalMessage(),
    'ai, openai-compatible': () =>
      withAi(
        createOpenAICompatible({ name: 'a', apiKey: rootKey, baseURL: `${url}/v1` })('kimi-vl'),
      ),
    'ai, open-responses': () =>
      withAi(
        createOpenResponses({ name: 'a', apiKey: rootKey, url: `${url}/v1/responses` })('kimi-vl'),
      ),
    mcp: callTool,
  }
}

/**
 * Streams that do not come to their end, on every platform of the edge.
 * @param start an edge that gives a silent backend up within a minute
 */
export function describeStalledStreams(
  platform: string,
  start: (settings: EdgeSettings) => Promise<StalledEdge>,
): void {
  describe(`a stream through the edge on ${platform} that`, { timeout: 120_000 }, () => {
    let backend: RecordingBackend
    let edge: StalledEdge
    beforeAll(async () => {
      const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
      const certificates = await createCertificates(names, Date.now())
      backend = await RecordingBackend.start(certificates)
      backend.answer = suffer
      edge = await start({ apiKey: rootKey, backendUrl: backend.url, certificates })
    })
    afterAll(async () => {
      await edge.stop()
      await backend.close()
    })

    // At once, because silence has to last.
    it.concurrent.each(fates)('%s is noticed by every client', async (fate) => {
      const read = readers(edge.url, promptFor(fate))
      const noticed = Object.entries(read).map(async ([client, run]) => {
        const outcome = await run().then(
          () => 'took it for an answer',
          () => 'noticed',
        )
        return [client, outcome] as const
      })
      const outcomes = await Promise.all(noticed)
      const expected = Object.keys(read).map((client) => [client, 'noticed'])
      expect(Object.fromEntries(outcomes)).toEqual(Object.fromEntries(expected))
      // None of them failed before there was a stream.
      const asked = await Promise.all(backend.seen.map(async ({ body }) => String(await body)))
      const those = asked.filter((text) => text.includes(promptFor(fate)))
      expect(those).toHaveLength(outcomes.length)
      expect(those).toContainEqual(expect.stringContaining('tools/call'))
    })
  })
}

import { Anthropic } from '@anthropic-ai/sdk'
import { createOpenResponses } from '@ai-sdk/open-responses'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { generateText, streamText } from 'ai'
import { OpenAI } from 'openai'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { ServiceError } from '../../../shared/api/errors.ts'
import type { GenerateAnswer } from '../../../shared/api/events.ts'
import type { IssuedKeyView } from '../../../shared/api/administration/keys.ts'
import { parseEvents } from '../../../shared/api/wire/sse.ts'
import type { DayUsage } from '../../../shared/api/administration/usage.ts'
import { createCertificates } from '../../../shared/node/certificates/create-certificates.ts'
import type { EdgeSettings, RunningEdge } from './edge-suite.ts'
import { startTestBackend, type TestBackend } from '../backends/test-backend.ts'

const apiKey = 'reasoning-key-7d1e4b90c2'
const thought = 'It is round.\n\nSo ◁ a circle.'
const answer = 'A circle 🔴.'
const written = `◁think▷\n${thought}\n◁/think▷\n\n${answer}`
const tokens = written.length
/** Of these, the marks, the thought and the blanks around it. */
const thoughtTokens = tokens - answer.length

/** Behaviour towards clients of a model that thinks, whose tokens are given, on every platform of the edge. */
export function describeReasoning(
  platform: string,
  start: (settings: EdgeSettings) => Promise<RunningEdge>,
): void {
  describe(`a model that thinks, on ${platform}`, () => {
    let backend: TestBackend
    let edge: RunningEdge
    let openai: OpenAI
    let anthropic: Anthropic
    beforeAll(async () => {
      const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
      const certificates = await createCertificates(names, Date.now())
      const recommended = { temperature: 0.8, top_k: 40 }
      backend = await startTestBackend({ certificates, reasons: true, recommended })
      const backendUrl = `https://localhost:${backend.port}`
      edge = await start({ apiKey, backendUrl, certificates })
      anthropic = new Anthropic({ apiKey, baseURL: edge.url, maxRetries: 0 })
      openai = new OpenAI({ apiKey, baseURL: `${edge.url}/v1`, maxRetries: 0 })
    })
    beforeEach(() => {
      writes(written)
    })
    afterAll(async () => {
      await edge.stop()
      await backend.stop()
    })

    /** Each character is a token, and comes by itself. */
    function writes(text: string, finishReason: 'stop' | 'length' = 'stop'): void {
      backend.engine.batches = text.split('')
      backend.engine.finishReason = finishReason
    }
    const post = (path: string, body: object, key = apiKey) =>
      fetch(edge.url + path, {
        method: 'POST',
        headers: { 'x-api-key': key, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
    const native = async (fields: object = {}) =>
      (await (
        await post('/generate/text', { prompt: 'Which?', ...fields })
      ).json()) as GenerateAnswer
    const messages = [{ role: 'user' as const, content: 'Which?' }]
    const asked = { model: 'kimi-vl', messages }
    const sent = { model: 'kimi-vl', messages, max_tokens: 500 }
    const input = 'Which?'

    it('answers natively with its thought beside the output', async () => {
      const { output, reasoning, usage } = await native()
      expect([output, reasoning]).toEqual([answer, thought])
      expect(usage).toMatchObject({ completion_tokens: tokens, reasoning_tokens: thoughtTokens })
      const { outputs } = await native({ n: 2 })
      expect(outputs).toMatchObject([
        { output: answer, reasoning: thought },
        { output: answer, reasoning: thought },
      ])
    })

    it('streams both natively, in events of their own', async () => {
      const response = await post('/generate/text', { prompt: 'Which?', n: 2, stream: true })
      const texts: Record<string, string> = {}
      const order: string[] = []
      for await (const { event, data } of parseEvents(response.body!)) {
        const { index, text = '' } = JSON.parse(data) as { index?: number; text?: string }
        if (order.at(-1) !== event) order.push(event)
        const name = `${event} ${index}`
        if (text !== '') texts[name] = (texts[name] ?? '') + text
      }
      expect(order).toEqual(['queued', 'reasoning', 'delta', 'end'])
      expect(texts).toEqual({
        'reasoning 0': thought,
        'reasoning 1': thought,
        'delta 0': answer,
        'delta 1': answer,
      })
    })

    it('reaches OpenAI’s client in chat completions, under the names that clients read', async () => {
      const whole = await openai.chat.completions.create({ ...asked, n: 2 })
      for (const { message } of whole.choices) {
        expect(message).toMatchObject({
          content: answer,
          reasoning_content: thought,
          reasoning: thought,
        })
      }
      expect(whole.usage).toMatchObject({
        completion_tokens: tokens,
        completion_tokens_details: { reasoning_tokens: 2 * thoughtTokens },
      })
      const texts = { content: '', reasoning_content: '', reasoning: '' }
      for await (const { choices } of await openai.chat.completions.create({
        ...asked,
        stream: true,
      })) {
        const delta = choices[0]?.delta as Partial<typeof texts> | undefined
        for (const name of ['content', 'reasoning_content', 'reasoning'] as const) {
          texts[name] += delta?.[name] ?? ''
        }
      }
      expect(texts).toEqual({ content: answer, reasoning_content: thought, reasoning: thought })
    })

    it('reaches OpenAI’s client in responses, as an item of its own', async () => {
      const whole = await openai.responses.create({ model: 'kimi-vl', input })
      const output = [
        {
          type: 'reasoning',
          id: expect.stringMatching(/^rs_req_/) as string,
          status: 'completed',
          summary: [],
          content: [{ type: 'reasoning_text', text: thought }],
        },
        { type: 'message', status: 'completed', content: [{ type: 'output_text', text: answer }] },
      ]
      expect(whole).toMatchObject({ output, output_text: answer })
      expect(whole.usage?.output_tokens_details).toEqual({ reasoning_tokens: thoughtTokens })
      const stream = openai.responses.stream({ model: 'kimi-vl', input })
      const types: string[] = []
      const indices = new Set<number>()
      for await (const event of stream) {
        if (types.at(-1) !== event.type) types.push(event.type)
        if ('output_index' in event) indices.add(event.output_index)
      }
      expect(types).toEqual([
        'response.created',
        'response.in_progress',
        'response.output_item.added',
        'response.content_part.added',
        'response.reasoning_text.delta',
        'response.reasoning_text.done',
        'response.content_part.done',
        'response.output_item.done',
        'response.output_item.added',
        'response.content_part.added',
        'response.output_text.delta',
        'response.output_text.done',
        'response.content_part.done',
        'response.output_item.done',
        'response.completed',
      ])
      expect([...indices]).toEqual([0, 1])
      expect(await stream.finalResponse()).toMatchObject({ output, output_text: answer })
    })

    it('reaches Anthropic’s client, in a block of its own', async () => {
      const whole = await anthropic.messages.create({
        ...sent,
        thinking: { type: 'enabled', budget_tokens: 1_024 },
      })
      const content = [
        { type: 'thinking', thinking: thought, signature: '' },
        { type: 'text', text: answer, citations: null },
      ]
      expect(whole.content).toEqual(content)
      expect(whole.usage.output_tokens_details).toEqual({ thinking_tokens: thoughtTokens })
      const stream = anthropic.messages.stream(sent)
      let thinking = ''
      stream.on('thinking', (delta) => (thinking += delta))
      expect((await stream.finalMessage()).content).toEqual(content)
      expect(thinking).toBe(thought)
    })

    const providers = {
      'openai-compatible': () =>
        createOpenAICompatible({
          name: 'd',
          apiKey,
          baseURL: `${edge.url}/v1`,
          includeUsage: true,
        }).chatModel('kimi-vl'),
      'open-responses': () =>
        createOpenResponses({ name: 'd', apiKey, url: `${edge.url}/v1/responses` })('kimi-vl'),
    }
    it.each(Object.entries(providers))('reaches the ai SDK through %s', async (_name, provide) => {
      const settings = { model: provide(), prompt: input, maxRetries: 0 }
      const streamed = streamText(settings)
      expect(await streamed.text).toBe(answer)
      expect(await streamed.reasoningText).toBe(thought)
      const { outputTokenDetails: told } = await streamed.totalUsage
      expect(told.reasoningTokens).toBe(thoughtTokens)
      const whole = await generateText(settings)
      expect([whole.text, whole.reasoningText]).toEqual([answer, thought])
    })

    it('gives agents the answer alone', async () => {
      const transport = new StreamableHTTPClientTransport(new URL(`${edge.url}/mcp`), {
        requestInit: { headers: { 'x-api-key': apiKey } },
      })
      const client = new Client({ name: 'agent', version: '1' })
      await client.connect(transport)
      const image = 'aGVsbG8='
      const result = await client.callTool({ name: 'extract_text', arguments: { image } })
      await client.close()
      expect(result).toMatchObject({
        content: [{ type: 'text', text: answer }],
        structuredContent: { text: answer, usage: { completion_tokens: tokens } },
      })
      // Thoughts need room, too.
      expect(backend.engine.jobs.at(-1)?.maxTokens).toBe(2_000)
    })

    describe('cut off in its thought', () => {
      const cut = '◁think▷It is '
      beforeEach(() => writes(cut, 'length'))

      it('has no answer yet', async () => {
        expect(await native()).toMatchObject({
          output: '',
          reasoning: 'It is',
          finish_reason: 'length',
        })
        const chat = await openai.chat.completions.create(asked)
        expect(chat.choices[0]).toMatchObject({
          message: { content: '', reasoning_content: 'It is' },
          finish_reason: 'length',
        })
      })

      it('has one item or block, in both forms of an answer', async () => {
        const response = {
          status: 'incomplete',
          output: [{ type: 'reasoning', status: 'incomplete', content: [{ text: 'It is' }] }],
        }
        const items = [
          await openai.responses.create({ model: 'kimi-vl', input }),
          await openai.responses.stream({ model: 'kimi-vl', input }).finalResponse(),
        ]
        for (const each of items) {
          expect(each).toMatchObject(response)
          expect(each.output).toHaveLength(1)
        }
        const blocks = [{ type: 'thinking', thinking: 'It is', signature: '' }]
        const short = { ...sent, max_tokens: cut.length }
        const whole = await anthropic.messages.create(short)
        const streamed = await anthropic.messages.stream(short).finalMessage()
        for (const each of [whole, streamed]) {
          expect(each).toMatchObject({ stop_reason: 'max_tokens' })
          expect(each.content).toEqual(blocks)
        }
      })
    })

    it('may answer without a thought', async () => {
      writes(answer)
      const whole = await native()
      expect(whole.output).toBe(answer)
      expect(whole).not.toHaveProperty('reasoning')
      expect(whole.usage.reasoning_tokens).toBe(0)
      const { output } = await openai.responses.stream({ model: 'kimi-vl', input }).finalResponse()
      expect(output.map(({ type }) => type)).toEqual(['message'])
      const { content } = await anthropic.messages.stream(sent).finalMessage()
      expect(content).toEqual([{ type: 'text', text: answer, citations: null }])
    })

    it('stops at a text in the answer, not in the thought, and returns only its tokens', async () => {
      const { choices } = await openai.chat.completions.create({
        ...asked,
        stop: ['circle'],
        logprobs: true,
      })
      expect(choices[0]).toMatchObject({
        message: { content: 'A ', reasoning_content: thought },
        finish_reason: 'stop',
      })
      expect(choices[0]?.logprobs?.content?.map(({ token }) => token).join('')).toBe('A ')
    })

    it('does not read its earlier thoughts again, whichever way they come', async () => {
      const next = { role: 'user' as const, content: 'Sure?' }
      const conversations: [path: string, body: object][] = [
        [
          '/v1/chat/completions',
          {
            messages: [
              ...messages,
              {
                role: 'assistant',
                content: answer,
                reasoning_content: thought,
                reasoning: thought,
              },
              next,
            ],
          },
        ],
        [
          '/v1/chat/completions',
          { messages: [...messages, { role: 'assistant', content: written }, next] },
        ],
        [
          '/v1/responses',
          {
            input: [
              ...messages,
              {
                type: 'reasoning',
                summary: [],
                content: [{ type: 'reasoning_text', text: thought }],
              },
              { role: 'assistant', content: answer },
              next,
            ],
          },
        ],
        [
          '/v1/messages',
          {
            max_tokens: 9,
            messages: [
              ...messages,
              {
                role: 'assistant',
                content: [
                  { type: 'thinking', thinking: thought, signature: '' },
                  { type: 'text', text: answer },
                ],
              },
              next,
            ],
          },
        ],
      ]
      for (const [path, body] of conversations) {
        expect((await post(path, body)).status).toBe(200)
        expect(backend.processor.prepared.at(-1)?.messages[1]).toEqual({
          role: 'assistant',
          content: [{ type: 'text', text: answer }],
        })
      }
    })

    describe('and usage', () => {
      const admin = async <Answer>(path: string, body?: object) => {
        const headers = { 'x-api-key': apiKey, 'content-type': 'application/json' }
        const init = body && { method: 'POST', body: JSON.stringify(body) }
        return (await (await fetch(edge.url + path, { headers, ...init })).json()) as Answer
      }
      const newKey = () => {
        const limits = { tokens_per_day: 1_000_000 }
        return admin<IssuedKeyView>('/admin/keys', { limits })
      }
      const usageOf = async (id: string) =>
        (await admin<{ usage: DayUsage[] }>(`/admin/usage?key_id=${id}`)).usage[0]
      const doors: [path: string, body: object][] = [
        ['/generate/text', { prompt: 'Which?' }],
        ['/v1/chat/completions', asked],
        ['/v1/responses', { input }],
        ['/v1/messages', sent],
      ]

      it('is counted exactly, through every door, whole and streamed', async () => {
        const { id, key } = await newKey()
        for (const [path, body] of doors) {
          await (await post(path, body, key)).text()
          await (await post(path, { ...body, stream: true }, key)).text()
        }
        const calls = 2 * doors.length
        await expect.poll(async () => (await usageOf(id))?.requests).toBe(calls)
        expect(await usageOf(id)).toMatchObject({
          errors: 0,
          completion_tokens: calls * tokens,
          unfinished_tokens: 0,
        })
      })

      it.each(doors)('is counted of a stream of %s that fails in a thought', async (path, body) => {
        const { id, key } = await newKey()
        const [promptTokens, sampled] = [7, 20]
        backend.engine.beforeBatch = (index) =>
          index < sampled
            ? Promise.resolve()
            : Promise.reject(new ServiceError('engine_restarted', 'It was restarted'))
        const text = await (await post(path, { ...body, stream: true }, key)).text()
        backend.engine.beforeBatch = () => Promise.resolve()
        expect(text).toContain('engine_restarted')
        expect(text).not.toContain(answer)
        await expect.poll(async () => (await usageOf(id))?.errors).toBe(1)
        expect(await usageOf(id)).toMatchObject({
          completion_tokens: 0,
          unfinished_tokens: promptTokens + sampled,
        })
      })
    })

    it('draws by its makers’ recommendation for those who ask for it', async () => {
      const form = new FormData()
      form.append('prompt', 'Which?')
      form.append('preset', 'model')
      form.append('images', new Blob(['picture']))
      const headers = { 'x-api-key': apiKey }
      await fetch(`${edge.url}/generate/image`, { method: 'POST', headers, body: form })
      await native({ preset: 'model' })
      await native({ preset: 'model', temperature: 0 })
      await post('/v1/chat/completions', { ...asked, preset: 'model' })
      await post('/v1/messages', { ...sent, preset: 'model' })
      const response = await post('/v1/responses', { input, preset: 'model' })
      expect(await response.json()).toMatchObject({ temperature: 0.8, top_p: 0.9 })
      await native()
      const rules = backend.engine.jobs.slice(-7).map(({ sampling }) => sampling)
      expect(rules.map(({ temperature, topK }) => [temperature, topK])).toEqual([
        [0.8, 40],
        [0.8, 40],
        [0, 40],
        [0.8, 40],
        [0.8, 40],
        [0.8, 40],
        [0.7, 0],
      ])
      expect(await openai.models.retrieve('kimi-vl')).toMatchObject({
        preset: { temperature: 0.8, top_k: 40 },
        reasoning: true,
      })
    })
  })
}

import { readFileSync } from 'node:fs'
import { Anthropic, BadRequestError as BadRequest } from '@anthropic-ai/sdk'
import { createOpenResponses } from '@ai-sdk/open-responses'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText } from 'ai'
import { AuthenticationError, BadRequestError, OpenAI } from 'openai'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ServiceError } from '../../../shared/api/errors.ts'
import type { IssuedKeyView } from '../../../shared/api/administration/keys.ts'
import type { DayUsage } from '../../../shared/api/administration/usage.ts'
import { createCertificates } from '../../../shared/node/certificates/create-certificates.ts'
import type { EdgeSettings, RunningEdge } from './edge-suite.ts'
import { type NanoBackend, startNanoBackend } from '../backends/nano-backend.ts'
import { FakeEngine, until } from '../backends/test-backend.ts'

type StartEdge = (settings: EdgeSettings) => Promise<RunningEdge>

const apiKey = 'door-key-3f9d0c7a51b2e6aa'
const picture = readFileSync('test/golden/images/g01.png')
const other = readFileSync('test/golden/images/g02.png')
const dataUri = `data:image/png;base64,${picture.toString('base64')}`
const question = 'What is in the picture?'
const rules = { temperature: 0.8, top_p: 0.9, seed: 11 }

/** Behaviour towards the official clients of other APIs, with the little model, on every platform of the edge. */
export function describeDoors(platform: string, start: StartEdge): void {
  describe(`doors on ${platform}`, () => {
    let nano: NanoBackend
    let edge: RunningEdge
    let openai: OpenAI
    let anthropic: Anthropic
    beforeAll(async () => {
      const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
      const certificates = await createCertificates(names, Date.now())
      nano = await startNanoBackend(certificates, async () => new Response(picture))
      edge = await start({ apiKey, backendUrl: nano.url, certificates })
      anthropic = new Anthropic({ apiKey, baseURL: edge.url, maxRetries: 0 })
      openai = new OpenAI({ apiKey, baseURL: `${edge.url}/v1`, maxRetries: 0 })
    })
    afterEach(() => {
      nano.script = undefined
    })
    afterAll(async () => {
      await edge.stop()
      await nano.stop()
    })

    const post = (path: string, body: unknown, headers: Record<string, string> = {}) =>
      fetch(edge.url + path, {
        method: 'POST',
        headers: { 'x-api-key': apiKey, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })

    /** The same question through the native route. */
    async function native(fields: Record<string, string | number>, images: readonly Uint8Array[]) {
      const form = new FormData()
      for (const [name, value] of Object.entries(fields)) form.append(name, String(value))
      for (const image of images) form.append('images', new Blob([Uint8Array.from(image)]))
      const response = await fetch(`${edge.url}/generate/image`, {
        method: 'POST',
        headers: { 'x-api-key': apiKey },
        body: form,
      })
      return (await response.json()) as { output: string; usage: { prompt_tokens: number } }
    }

    const codes: Record<string, string> = {
      fails: 'engine_restarted',
      'is torn': 'backend_unavailable',
    }
    /** An answer that does not come to its end. */
    function failing(how: string): FakeEngine {
      const script = new FakeEngine()
      script.beforeBatch = async (index) => {
        if (index !== 2) return
        if (how === 'fails') throw new ServiceError('engine_restarted', 'It was restarted')
        nano.backend.cutConnections()
      }
      return script
    }

    const look = (url: string) => ({ type: 'image_url', image_url: { url } }) as const
    const say = (text: string) => ({ type: 'text', text }) as const
    const looking = [{ role: 'user' as const, content: [look(dataUri), say(question)] }]
    const asked = { model: 'kimi-vl', messages: looking, max_tokens: 24, ...rules }

    describe('chat completions', () => {
      it('give the text of the native route, whole and streamed, from a data URI and a URL', async () => {
        const { output, usage } = await native({ prompt: question, max_tokens: 24, ...rules }, [
          picture,
        ])
        const whole = await openai.chat.completions.create(asked)
        expect(whole.choices[0]?.message).toMatchObject({ role: 'assistant', content: output })
        expect(whole.usage?.prompt_tokens).toBe(usage.prompt_tokens)
        expect(whole.usage?.total_tokens).toBe(usage.prompt_tokens + whole.usage!.completion_tokens)
        expect(whole).toMatchObject({ object: 'chat.completion', model: 'kimi-vl-nano' })
        expect(whole.id).toMatch(/^chatcmpl-req_/)
        const linked = [
          { role: 'user' as const, content: [look('https://pictures.org/a.png'), say(question)] },
        ]
        const fetched = await openai.chat.completions.create({ ...asked, messages: linked })
        expect(fetched.choices[0]?.message.content).toBe(output)
        let text = ''
        const stream = await openai.chat.completions.create({
          ...asked,
          stream: true,
          stream_options: { include_usage: true },
        })
        const usages = []
        for await (const { choices, usage: told } of stream) {
          text += choices[0]?.delta.content ?? ''
          if (told) usages.push(told)
        }
        expect(text).toBe(output)
        expect(usages).toEqual([
          { ...whole.usage, prompt_tokens_details: usages[0]?.prompt_tokens_details },
        ])
      })

      it('take seeds below 0, as the native routes do', async () => {
        const wild = (seed: number) => ({ temperature: 2, top_p: 1, seed })
        const asking = async (seed: number) => {
          const answer = await openai.chat.completions.create({ ...asked, ...wild(seed) })
          return answer.choices[0]?.message.content
        }
        const seeds = [-7, -(2 ** 53 - 1), 7]
        const texts = []
        for (const seed of seeds) {
          const fields = { prompt: question, max_tokens: 24, ...wild(seed) }
          const { output } = await native(fields, [picture])
          expect(await asking(seed)).toBe(output)
          texts.push(output)
        }
        expect(new Set(texts).size).toBeGreaterThan(1)
        await expect(asking(1.5)).rejects.toMatchObject({ param: 'seed' })
        await expect(asking(2 ** 53)).rejects.toMatchObject({ param: 'seed' })
      })

      it('go on with a conversation of several turns and images', async () => {
        const messages = [
          { role: 'developer' as const, content: 'Be brief.' },
          { role: 'user' as const, content: [say('This '), look(dataUri), say('?')] },
          { role: 'assistant' as const, content: 'A picture.' },
          {
            role: 'user' as const,
            content: [look(`data:image/png;base64,${other.toString('base64')}`), say('And this?')],
          },
        ]
        const answer = await openai.chat.completions.create({ ...asked, messages })
        const { prompt_tokens_details: details, prompt_tokens: tokens } = answer.usage!
        expect(details).toMatchObject({ image_tokens: expect.any(Number) as number })
        const first = await openai.chat.completions.create({
          ...asked,
          messages: messages.slice(0, 2),
        })
        expect(tokens).toBeGreaterThan(first.usage!.prompt_tokens)
        expect(answer.choices[0]?.message.content).not.toBe('')
      })

      it('know choices, log probabilities, stop texts and the end of a length', async () => {
        const { choices } = await openai.chat.completions.create({
          ...asked,
          n: 3,
          logprobs: true,
          top_logprobs: 2,
          max_completion_tokens: 4,
        })
        expect(choices.map(({ index, finish_reason: reason }) => [index, reason])).toEqual([
          [0, 'length'],
          [1, 'length'],
          [2, 'length'],
        ])
        for (const { logprobs, message } of choices) {
          const bytes = logprobs!.content!.flatMap((token) => token.bytes ?? [])
          expect(new TextDecoder().decode(Uint8Array.from(bytes))).toBe(message.content)
          expect(logprobs!.content![0]!.top_logprobs).toHaveLength(2)
        }
        const whole = choices[0]!.message.content!
        const stop = whole.slice(2, 4)
        const stopped = await openai.chat.completions.create({ ...asked, stop })
        expect(stopped.choices[0]).toMatchObject({
          finish_reason: 'stop',
          message: { content: whole.slice(0, whole.indexOf(stop)) },
        })
      })

      it('look less closely when asked to', async () => {
        const big = readFileSync('docs/sample.png')
        const tokensOf = async (detail: 'low' | 'high') => {
          const url = `data:image/png;base64,${big.toString('base64')}`
          const content = [{ type: 'image_url', image_url: { url, detail } } as const]
          const messages = [{ role: 'user' as const, content }]
          const answer = await openai.chat.completions.create({ ...asked, messages })
          return (answer.usage!.prompt_tokens_details as unknown as { image_tokens: number })
            .image_tokens
        }
        const high = await tokensOf('high')
        expect(await tokensOf('low')).toBeLessThanOrEqual(Math.min(256, high))
      })

      it('refuse by name what they cannot honour, and ignore what changes nothing', async () => {
        const refusals = [
          [{ tools: [{ type: 'function' }] }, 'tools'],
          [{ audio: { voice: 'a' } }, 'audio'],
          [{ store: true }, 'store'],
          [{ modalities: ['text', 'audio'] }, 'modalities'],
          [{ messages: [...looking, { role: 'assistant', content: 'I' }] }, 'messages'],
          [{ messages: [{ role: 'tool', content: 'x', tool_call_id: 'a' }] }, 'messages.0.role'],
          [
            { messages: [{ role: 'user', content: [{ type: 'input_audio' }] }] },
            'messages.0.content.0.type',
          ],
        ] as const
        for (const [change, param] of refusals) {
          const response = await post('/v1/chat/completions', { ...asked, ...change })
          expect(response.status).toBe(400)
          expect(await response.json()).toMatchObject({
            error: { code: 'unsupported_field', type: 'invalid_request_error', param },
          })
        }
        const ignored = await post('/v1/chat/completions', {
          ...asked,
          max_tokens: 2,
          stop: null,
          temperature: null,
          tools: [],
          tool_choice: 'auto',
          store: false,
          user: 'u',
          metadata: { a: 'b' },
          service_tier: 'auto',
          stream_options: null,
        })
        expect(ignored.status).toBe(200)
      })

      it('tell errors as the client knows them, and when a retry is in vain', async () => {
        const refused = async (change: object) =>
          openai.chat.completions.create({ ...asked, ...change }).catch((error: unknown) => error)
        expect(await refused({ model: 'gpt-4o' })).toMatchObject({
          status: 404,
          code: 'model_not_found',
          param: 'model',
        })
        expect(await refused({ temperature: 3 })).toBeInstanceOf(BadRequestError)
        const bad = [{ role: 'user', content: [look('data:image/png;base64,####')] }]
        expect(await refused({ messages: bad })).toMatchObject({
          status: 400,
          param: 'messages.0.content.0.image_url',
        })
        const wrongKey = new OpenAI({ apiKey: 'x', baseURL: `${edge.url}/v1`, maxRetries: 0 })
        await expect(wrongKey.models.list()).rejects.toBeInstanceOf(AuthenticationError)
        nano.script = new FakeEngine()
        nano.script.beforeQueued = () => Promise.reject(new Error('a fault'))
        const response = await post('/v1/chat/completions', asked)
        expect([response.status, response.headers.get('x-should-retry')]).toEqual([500, 'false'])
      })

      it.each(['fails', 'is torn'])('say that a stream %s', async (how) => {
        nano.script = failing(how)
        const read = async () => {
          const stream = await openai.chat.completions.create({ ...asked, stream: true })
          let text = ''
          for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
          return text
        }
        await expect(read()).rejects.toMatchObject({ code: codes[how] })
      })

      it('free the slot when the client leaves', async () => {
        const script = new FakeEngine()
        nano.script = script
        script.beforeBatch = (index) => (index < 1 ? Promise.resolve() : new Promise(() => {}))
        const stream = await openai.chat.completions.create({ ...asked, stream: true })
        for await (const { choices } of stream) {
          if (choices[0]?.delta.content) break
        }
        await until(() => script.running.size === 0)
        expect(script.running.size).toBe(0)
      })
    })

    describe('responses', () => {
      const input = [
        {
          role: 'user' as const,
          content: [
            { type: 'input_image' as const, image_url: dataUri, detail: 'auto' as const },
            { type: 'input_text' as const, text: question },
          ],
        },
      ]
      const greedy = { model: 'kimi-vl', input, max_output_tokens: 24, temperature: 0 }

      it('give the text of the native route, whole and streamed', async () => {
        const { output } = await native({ prompt: question, max_tokens: 24, temperature: 0 }, [
          picture,
        ])
        const whole = await openai.responses.create(greedy)
        expect(whole).toMatchObject({ output_text: output, model: 'kimi-vl-nano', store: false })
        const stream = openai.responses.stream(greedy)
        const types: string[] = []
        const numbers: number[] = []
        for await (const event of stream) {
          types.push(event.type)
          numbers.push(event.sequence_number)
        }
        const streamed = await stream.finalResponse()
        expect(streamed.output_text).toBe(output)
        expect(streamed.status).toBe(whole.status)
        expect(streamed.usage?.total_tokens).toBe(whole.usage?.total_tokens)
        expect(types.slice(0, 2)).toEqual(['response.created', 'response.in_progress'])
        expect(types.at(-1)).toBe(`response.${whole.status}`)
        expect(numbers).toEqual(numbers.map((_, index) => index))
      })

      it('know instructions, earlier turns, an end by length, and count the same tokens', async () => {
        const asking = {
          instructions: 'Be brief.',
          input: [
            { role: 'user' as const, content: 'Hello' },
            { role: 'assistant' as const, content: 'Hi' },
            ...input,
          ],
        }
        const answer = await openai.responses.create({
          ...asking,
          model: 'kimi-vl',
          max_output_tokens: 2,
          top_logprobs: 1,
          include: ['message.output_text.logprobs'],
        })
        expect(answer).toMatchObject({
          status: 'incomplete',
          incomplete_details: { reason: 'max_output_tokens' },
          instructions: 'Be brief.',
        })
        const [item] = answer.output
        const [part] = item?.type === 'message' ? item.content : []
        expect(part?.type === 'output_text' ? part.logprobs : []).toHaveLength(2)
        const { input_tokens: tokens } = await openai.responses.inputTokens.count(asking)
        expect(tokens).toBe(answer.usage?.input_tokens)
      })

      it('refuse what would have to be stored, and say so of what was not', async () => {
        for (const change of [
          { store: true },
          { previous_response_id: 'resp_1' },
          { background: true },
          { tools: [{ type: 'web_search' }] },
          { truncation: 'auto' },
        ]) {
          const response = await post('/v1/responses', { ...greedy, ...change })
          expect(await response.json()).toMatchObject({
            error: { code: 'unsupported_field', param: Object.keys(change)[0] },
          })
        }
        const bad = await post('/v1/responses', '{')
        expect(await bad.json()).toMatchObject({ error: { code: 'invalid_json', param: '' } })
        await expect(openai.responses.retrieve('resp_1')).rejects.toMatchObject({
          status: 404,
          code: 'not_found',
          param: 'id',
          message: expect.stringContaining('not stored here') as string,
        })
      })

      it.each(['fails', 'is torn'])('say that a stream %s', async (how) => {
        nano.script = failing(how)
        const read = async () => {
          const stream = await openai.responses.create({ ...greedy, stream: true })
          for await (const event of stream) void event
        }
        await expect(read()).rejects.toMatchObject({ code: codes[how] })
        const gathered = openai.responses.stream(greedy).finalResponse()
        await expect(gathered).rejects.toMatchObject({ code: codes[how] })
      })
    })

    describe('a schema', () => {
      const schema = {
        type: 'object',
        properties: { colour: { enum: ['red', 'blue'] }, count: { type: 'integer' } },
        required: ['colour', 'count'],
        additionalProperties: false,
      }
      const said = (json: string) => JSON.parse(json) as object
      const expected = {
        colour: expect.stringMatching(/^(red|blue)$/) as string,
        count: expect.any(Number) as number,
      }

      it('is kept to through every door', async () => {
        const long = { model: 'kimi-vl', temperature: 0 }
        const chat = await openai.chat.completions.create({
          ...long,
          messages: looking,
          response_format: { type: 'json_schema', json_schema: { name: 'a', schema } },
        })
        expect(said(chat.choices[0]!.message.content!)).toEqual(expected)
        const response = await openai.responses.create({
          ...long,
          input: question,
          text: { format: { type: 'json_schema', name: 'a', schema } },
        })
        expect(said(response.output_text)).toEqual(expected)
        const message = await anthropic.messages.create({
          ...long,
          max_tokens: 100,
          messages: [{ role: 'user', content: question }],
          output_config: { format: { type: 'json_schema', schema } },
        })
        expect(said(message.content[0]?.type === 'text' ? message.content[0].text : '')).toEqual(
          expected,
        )
      })

      it('that cannot be kept to is refused, in the field it came in', async () => {
        const bad = { type: 'nothing' }
        const format = { type: 'json_schema', name: 'a', schema: bad }
        const answers = await Promise.all([
          post('/v1/chat/completions', {
            messages: looking,
            response_format: { type: 'json_schema', json_schema: format },
          }),
          post('/v1/responses', { input: question, text: { format } }),
        ])
        const params = []
        for (const answer of answers) {
          expect(answer.status).toBe(400)
          params.push(((await answer.json()) as { error: { param: string } }).error.param)
        }
        expect(params[0]).toMatch(/^response_format\.json_schema\.schema/)
        expect(params[1]).toMatch(/^text\.format\.schema/)
      })
    })

    describe('messages', () => {
      const image = {
        type: 'image' as const,
        source: {
          type: 'base64' as const,
          media_type: 'image/png' as const,
          data: picture.toString('base64'),
        },
      }
      const messages = [
        { role: 'user' as const, content: [image, { type: 'text' as const, text: question }] },
      ]
      const greedy = { model: 'kimi-vl', messages, max_tokens: 24, temperature: 0 }

      it('give the text of the native route, whole and streamed', async () => {
        const { output, usage } = await native(
          { prompt: question, max_tokens: 24, temperature: 0 },
          [picture],
        )
        const whole = await anthropic.messages.create(greedy)
        expect(whole.content).toEqual([{ type: 'text', text: output, citations: null }])
        const { input_tokens: read, cache_read_input_tokens: cached } = whole.usage
        expect(read + (cached ?? 0)).toBe(usage.prompt_tokens)
        const streamed = await anthropic.messages.stream(greedy).finalMessage()
        expect(streamed.content).toEqual(whole.content)
        expect(streamed.stop_reason).toBe(whole.stop_reason)
        expect(streamed.usage.output_tokens).toBe(whole.usage.output_tokens)
      })

      it('know system texts, earlier turns and stop sequences, and count the same tokens', async () => {
        const asking = {
          model: 'kimi-vl',
          system: [{ type: 'text' as const, text: 'Be brief.' }],
          messages: [
            { role: 'user' as const, content: 'Hello' },
            { role: 'assistant' as const, content: 'Hi' },
            ...messages,
          ],
        }
        const answer = await anthropic.messages.create({ ...asking, max_tokens: 3 })
        expect(answer.stop_reason).toBe('max_tokens')
        const { input_tokens: tokens } = await anthropic.messages.countTokens(asking)
        const { input_tokens: read, cache_read_input_tokens: cached } = answer.usage
        expect(tokens).toBe(read + (cached ?? 0))
        const { content } = await anthropic.messages.create(greedy)
        const text = content[0]?.type === 'text' ? content[0].text : ''
        const stop = text.slice(3, 5)
        const stopped = await anthropic.messages.create({ ...greedy, stop_sequences: [stop] })
        expect(stopped).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: stop })
      })

      it('take the key in the older header, and tell the request id in theirs', async () => {
        const response = await post(
          '/v1/messages',
          { ...greedy, max_tokens: 1 },
          { 'anthropic-version': '2023-06-01' },
        )
        expect(response.status).toBe(200)
        expect(response.headers.get('request-id')).toBe(response.headers.get('x-request-id'))
      })

      it('tell errors in their own form', async () => {
        const refused = await post('/v1/messages', { ...greedy, tools: [{ name: 'a' }] })
        expect([refused.status, await refused.json()]).toMatchObject([
          400,
          {
            type: 'error',
            error: {
              type: 'invalid_request_error',
              details: { error_code: 'unsupported_field', param: 'tools' },
            },
            request_id: refused.headers.get('request-id'),
          },
        ])
        const missing = await fetch(`${edge.url}/v1/messages`, { method: 'POST' })
        expect(await missing.json()).toMatchObject({ error: { type: 'authentication_error' } })
        const lost = await post('/v1/messages/batches', {})
        expect(await lost.json()).toMatchObject({ error: { type: 'not_found_error' } })
        const failure = await anthropic.messages
          .create({ ...greedy, max_tokens: 0 })
          .catch((error: unknown) => error)
        expect(failure).toBeInstanceOf(BadRequest)
      })

      it.each(['fails', 'is torn'])('say that a stream %s', async (how) => {
        nano.script = failing(how)
        const read = async () => {
          const stream = await anthropic.messages.create({ ...greedy, stream: true })
          for await (const event of stream) void event
        }
        await expect(read()).rejects.toMatchObject({
          error: { error: { details: { error_code: codes[how] } } },
        })
        await expect(anthropic.messages.stream(greedy).finalMessage()).rejects.toThrow(/\w/)
      })
    })

    describe('the AI SDK', () => {
      const chat = () =>
        createOpenAICompatible({ name: 'describe', apiKey, baseURL: `${edge.url}/v1` })('kimi-vl')
      const responses = () =>
        createOpenResponses({ name: 'describe', apiKey, url: `${edge.url}/v1/responses` })(
          'kimi-vl',
        )
      const models = { chat, responses }
      const messages = [
        {
          role: 'user' as const,
          content: [
            { type: 'image' as const, image: picture },
            { type: 'text' as const, text: question },
          ],
        },
      ]
      const settings = { messages, maxOutputTokens: 24, temperature: 0, maxRetries: 0 }

      it.each(['chat', 'responses'] as const)('has the same text through %s', async (door) => {
        const { output } = await native({ prompt: question, max_tokens: 24, temperature: 0 }, [
          picture,
        ])
        const model = models[door]()
        const whole = await generateText({ model, ...settings })
        expect(whole.text).toBe(output)
        expect(whole.usage.inputTokens).toBeGreaterThan(0)
        let text = ''
        for await (const piece of streamText({ model, ...settings }).textStream) text += piece
        expect(text).toBe(output)
      })

      it.each([
        ['chat', 'fails'],
        ['chat', 'is torn'],
        ['responses', 'fails'],
        ['responses', 'is torn'],
      ] as const)('notices that a stream through %s %s', async (door, how) => {
        nano.script = failing(how)
        const reasons: unknown[] = []
        const { fullStream } = streamText({
          model: models[door](),
          ...settings,
          onError: () => undefined,
        })
        for await (const part of fullStream) {
          if (part.type === 'error' || part.type === 'finish')
            reasons.push(part.type === 'error' ? 'error' : part.finishReason)
        }
        expect(reasons).toContain('error')
      })

      it('shows our message', async () => {
        for (const model of [chat(), responses()]) {
          const failure = generateText({ model, ...settings, temperature: 3 })
          await expect(failure).rejects.toThrow(/^temperature: /)
        }
      })
    })

    describe('keys and limits', () => {
      const admin = async <Answer>(path: string, body?: object): Promise<Answer> => {
        const response = await fetch(`${edge.url}/admin${path}`, {
          method: body === undefined ? 'GET' : 'POST',
          headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
          body: body === undefined ? null : JSON.stringify(body),
        })
        return (await response.json()) as Answer
      }
      const createKey = (fields: object) => admin<IssuedKeyView>('/keys', fields)
      const usageOf = async (id: string) =>
        (await admin<{ usage: DayUsage[] }>(`/usage?key_id=${id}`)).usage[0]
      const bodies = {
        '/v1/chat/completions': asked,
        '/v1/responses': {
          input: [{ role: 'user', content: [{ type: 'input_image', image_url: dataUri }] }],
          max_output_tokens: 5,
        },
        '/v1/messages': {
          messages: [
            {
              role: 'user',
              content: [
                {
                  type: 'image',
                  source: {
                    type: 'base64',
                    media_type: 'image/png',
                    data: picture.toString('base64'),
                  },
                },
              ],
            },
          ],
          max_tokens: 5,
        },
      }
      const doors = Object.entries(bodies)

      it.each(doors)(
        'count exactly what %s has used, whole, streamed and torn',
        async (path, body) => {
          const { id, key } = await createKey({ limits: { tokens_per_day: 1_000_000 } })
          const headers = { 'x-api-key': key }
          const whole = (await (await post(path, body, headers)).json()) as {
            usage: Record<string, number>
          }
          const { usage } = whole
          const prompt =
            usage['prompt_tokens'] ??
            usage['input_tokens']! + (usage['cache_read_input_tokens'] ?? 0)
          const completion = usage['completion_tokens'] ?? usage['output_tokens']!
          await (
            await post(path, { ...body, stream: true, seed: 1, temperature: 0 }, headers)
          ).text()
          const before = (await usageOf(id))!
          expect(before).toMatchObject({ requests: 2, images: 2, errors: 0, unfinished_tokens: 0 })
          expect(before.prompt_tokens).toBe(2 * prompt)
          expect(before.completion_tokens).toBeGreaterThan(completion)
          nano.script = failing('is torn')
          await (await post(path, { ...body, stream: true }, headers)).text().catch(() => '')
          await expect.poll(async () => (await usageOf(id))?.errors).toBe(1)
          const after = (await usageOf(id))!
          expect(after.prompt_tokens).toBe(before.prompt_tokens)
          expect([0, prompt + 5, prompt + 12]).toContain(after.unfinished_tokens)
        },
      )

      it('hold for images that the edge has not seen', async () => {
        const { key } = await createKey({ limits: { images_per_day: 1 } })
        const large = Buffer.concat([picture, Buffer.alloc(1_000_000)]).toString('base64')
        const two = [1, 2].map(() => look(`data:image/png;base64,${large}`))
        const body = { ...asked, messages: [{ role: 'user', content: two }] }
        const refused = await post('/v1/chat/completions', body, { 'x-api-key': key })
        expect(await refused.json()).toMatchObject({ error: { code: 'quota_exceeded' } })
        const one = await post('/v1/chat/completions', asked, { 'x-api-key': key })
        expect(one.status).toBe(200)
        const spent = await post('/v1/chat/completions', asked, { 'x-api-key': key })
        expect([spent.status, spent.headers.get('x-should-retry')]).toEqual([429, 'false'])
        const counted = await post('/v1/chat/completions/input_tokens', asked, { 'x-api-key': key })
        expect(counted.status).toBe(200)
      })

      it('ask for the scopes of what is asked', async () => {
        const { key } = await createKey({ scopes: ['text'] })
        const text = { ...asked, messages: [{ role: 'user', content: 'Hello' }] }
        const statusOf = async (body: object) =>
          (await post('/v1/chat/completions', body, { 'x-api-key': key })).status
        expect(await statusOf(text)).toBe(200)
        expect(await statusOf(asked)).toBe(403)
        const imageKey = await createKey({ scopes: ['image'] })
        const linked = {
          messages: [{ role: 'user', content: [look('https://pictures.org/a.png')] }],
        }
        const refused = await post('/v1/chat/completions', linked, { 'x-api-key': imageKey.key })
        expect(await refused.json()).toMatchObject({ error: { code: 'forbidden_scope' } })
        expect((await fetch(`${edge.url}/health`)).status).toBe(200)
      })

      it('repeat an answer for the same Idempotency-Key', async () => {
        const headers = { 'idempotency-key': `door-${platform}` }
        const body = { ...asked, stream: true }
        const first = await (await post('/v1/chat/completions', body, headers)).text()
        const again = await post('/v1/chat/completions', body, headers)
        expect(again.headers.get('idempotency-replayed')).toBe('true')
        expect(await again.text()).toBe(first)
      })
    })

    it('a body of 100 MiB passes, and too much of it is refused', async () => {
      const file = Buffer.concat([picture, Buffer.alloc(4_600_000)]).toString('base64')
      const content = Array.from({ length: 16 }, () => look(`data:image/png;base64,${file}`))
      const body = { model: 'kimi-vl', max_tokens: 1, messages: [{ role: 'user', content }] }
      const response = await post('/v1/chat/completions', body)
      expect(await response.json()).toMatchObject({ object: 'chat.completion' })
      const over = await post('/v1/chat/completions', { ...body, x: 'x'.repeat(3_000_000) })
      expect(await over.json()).toMatchObject({ error: { code: 'body_too_large' } })
    })

    it('models list what there is, under all its names', async () => {
      const { data } = await openai.models.list()
      expect(data.map(({ id }) => id)).toEqual(['kimi-vl-nano', 'kimi-vl'])
      expect(await openai.models.retrieve('kimi-vl')).toMatchObject({
        id: 'kimi-vl',
        object: 'model',
        context_length: 131_072,
        input_modalities: ['text', 'image'],
        max_images: 16,
        image_tokens: 1_024,
      })
      await expect(openai.models.retrieve('gpt-4o')).rejects.toMatchObject({
        status: 404,
        code: 'model_not_found',
      })
    })
  })
}

import { readFileSync } from 'node:fs'
import { AuthenticationError, BadRequestError, OpenAI } from 'openai'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { ServiceError } from '../../shared/api/errors.ts'
import { createCertificates } from '../../shared/node/certificates/create-certificates.ts'
import type { EdgeSettings, RunningEdge } from './edge-suite.ts'
import { type NanoBackend, startNanoBackend } from './nano-backend.ts'
import { FakeEngine, until } from './test-backend.ts'

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
    beforeAll(async () => {
      const names = { server: ['localhost', '127.0.0.1'], client: 'edge' }
      const certificates = await createCertificates(names, Date.now())
      nano = await startNanoBackend(certificates, async () => new Response(picture))
      edge = await start({ apiKey, backendUrl: nano.url, certificates })
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
        const failing = async (change: object) =>
          openai.chat.completions.create({ ...asked, ...change }).catch((error: unknown) => error)
        expect(await failing({ model: 'gpt-4o' })).toMatchObject({
          status: 404,
          code: 'model_not_found',
          param: 'model',
        })
        expect(await failing({ temperature: 3 })).toBeInstanceOf(BadRequestError)
        const bad = [{ role: 'user', content: [look('data:image/png;base64,####')] }]
        expect(await failing({ messages: bad })).toMatchObject({
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

      it.each([
        ['fails', 'engine_restarted'],
        ['is torn', 'backend_unavailable'],
      ])('say that a stream %s', async (how, code) => {
        const script = new FakeEngine()
        nano.script = script
        script.beforeBatch = async (index) => {
          if (index !== 2) return
          if (how === 'fails') throw new ServiceError('engine_restarted', 'It was restarted')
          nano.backend.cutConnections()
        }
        const read = async () => {
          const stream = await openai.chat.completions.create({ ...asked, stream: true })
          let text = ''
          for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
          return text
        }
        await expect(read()).rejects.toMatchObject({ code })
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

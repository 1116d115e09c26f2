import { readFileSync } from 'node:fs'
import { AuthenticationError, BadRequestError, OpenAI } from 'openai'
import { describe, expect, it } from 'vitest'
import { FakeEngine, until } from '../../backends/test-backend.ts'
import {
  looking,
  asked,
  codes,
  dataUri,
  look,
  other,
  picture,
  question,
  rules,
  say,
  type DoorStand,
} from './door-stand.ts'

export function describeChat(stand: DoorStand): void {
  describe('chat completions', () => {
    it('give the text of the native route, whole and streamed, from a data URI and a URL', async () => {
      const { output, usage } = await stand.native({ prompt: question, max_tokens: 24, ...rules }, [
        picture,
      ])
      const whole = await stand.openai.chat.completions.create(asked)
      expect(whole.choices[0]?.message).toMatchObject({ role: 'assistant', content: output })
      expect(whole.usage?.prompt_tokens).toBe(usage.prompt_tokens)
      expect(whole.usage?.total_tokens).toBe(usage.prompt_tokens + whole.usage!.completion_tokens)
      expect(whole).toMatchObject({ object: 'chat.completion', model: 'kimi-vl-nano' })
      expect(whole.id).toMatch(/^chatcmpl-req_/)
      const linked = [
        { role: 'user' as const, content: [look('https://pictures.org/a.png'), say(question)] },
      ]
      const fetched = await stand.openai.chat.completions.create({ ...asked, messages: linked })
      expect(fetched.choices[0]?.message.content).toBe(output)
      let text = ''
      const stream = await stand.openai.chat.completions.create({
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
        const answer = await stand.openai.chat.completions.create({ ...asked, ...wild(seed) })
        return answer.choices[0]?.message.content
      }
      const seeds = [-7, -(2 ** 53 - 1), 7]
      const texts = []
      for (const seed of seeds) {
        const fields = { prompt: question, max_tokens: 24, ...wild(seed) }
        const { output } = await stand.native(fields, [picture])
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
      const answer = await stand.openai.chat.completions.create({ ...asked, messages })
      const { prompt_tokens_details: details, prompt_tokens: tokens } = answer.usage!
      expect(details).toMatchObject({ image_tokens: expect.any(Number) as number })
      const first = await stand.openai.chat.completions.create({
        ...asked,
        messages: messages.slice(0, 2),
      })
      expect(tokens).toBeGreaterThan(first.usage!.prompt_tokens)
      expect(answer.choices[0]?.message.content).not.toBe('')
    })

    it('know choices, log probabilities, stop texts and the end of a length', async () => {
      const { choices } = await stand.openai.chat.completions.create({
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
      const stopped = await stand.openai.chat.completions.create({ ...asked, stop })
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
        const answer = await stand.openai.chat.completions.create({ ...asked, messages })
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
        const response = await stand.post('/v1/chat/completions', { ...asked, ...change })
        expect(response.status).toBe(400)
        expect(await response.json()).toMatchObject({
          error: { code: 'unsupported_field', type: 'invalid_request_error', param },
        })
      }
      const ignored = await stand.post('/v1/chat/completions', {
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

    it('return errors as the client knows them, and say when a retry is pointless', async () => {
      const refused = async (change: object) =>
        stand.openai.chat.completions
          .create({ ...asked, ...change })
          .catch((error: unknown) => error)
      expect(await refused({ model: 'gpt-4o' })).toMatchObject({
        status: 404,
        code: 'model_not_found',
        param: 'model',
        message: expect.stringContaining('"gpt-4o"') as string,
      })
      expect(await refused({ temperature: 3 })).toBeInstanceOf(BadRequestError)
      const bad = [{ role: 'user', content: [look('data:image/png;base64,####')] }]
      expect(await refused({ messages: bad })).toMatchObject({
        status: 400,
        param: 'messages.0.content.0.image_url',
      })
      const wrongKey = new OpenAI({ apiKey: 'x', baseURL: `${stand.edge.url}/v1`, maxRetries: 0 })
      await expect(wrongKey.models.list()).rejects.toBeInstanceOf(AuthenticationError)
      stand.nano.script = new FakeEngine()
      stand.nano.script.beforeQueued = () => Promise.reject(new Error('a fault'))
      const response = await stand.post('/v1/chat/completions', asked)
      expect([response.status, response.headers.get('x-should-retry')]).toEqual([500, 'false'])
    })

    it.each(['fails', 'is torn'])('say that a stream %s', async (how) => {
      stand.nano.script = stand.failing(how)
      const read = async () => {
        const stream = await stand.openai.chat.completions.create({ ...asked, stream: true })
        let text = ''
        for await (const { choices } of stream) text += choices[0]?.delta.content ?? ''
        return text
      }
      await expect(read()).rejects.toMatchObject({ code: codes[how] })
    })

    it('free the slot when the client leaves', async () => {
      const script = new FakeEngine()
      stand.nano.script = script
      script.beforeBatch = (index) => (index < 1 ? Promise.resolve() : new Promise(() => {}))
      const stream = await stand.openai.chat.completions.create({ ...asked, stream: true })
      for await (const { choices } of stream) {
        if (choices[0]?.delta.content) break
      }
      await until(() => script.running.size === 0)
      expect(script.running.size).toBe(0)
    })
  })
}

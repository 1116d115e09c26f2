import { BadRequestError as BadRequest } from '@anthropic-ai/sdk'
import { describe, expect, it } from 'vitest'
import { codes, picture, question, type DoorStand } from './door-stand.ts'

export function describeMessages(stand: DoorStand): void {
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
      const { output, usage } = await stand.native(
        { prompt: question, max_tokens: 24, temperature: 0 },
        [picture],
      )
      const whole = await stand.anthropic.messages.create(greedy)
      expect(whole.content).toEqual([{ type: 'text', text: output, citations: null }])
      const { input_tokens: read, cache_read_input_tokens: cached } = whole.usage
      expect(read + (cached ?? 0)).toBe(usage.prompt_tokens)
      const streamed = await stand.anthropic.messages.stream(greedy).finalMessage()
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
      const answer = await stand.anthropic.messages.create({ ...asking, max_tokens: 3 })
      expect(answer.stop_reason).toBe('max_tokens')
      const { input_tokens: tokens } = await stand.anthropic.messages.countTokens(asking)
      const { input_tokens: read, cache_read_input_tokens: cached } = answer.usage
      expect(tokens).toBe(read + (cached ?? 0))
      const { content } = await stand.anthropic.messages.create(greedy)
      const text = content[0]?.type === 'text' ? content[0].text : ''
      const stop = text.slice(3, 5)
      const stopped = await stand.anthropic.messages.create({ ...greedy, stop_sequences: [stop] })
      expect(stopped).toMatchObject({ stop_reason: 'stop_sequence', stop_sequence: stop })
    })

    it('accept the key in the older header, and return the request id in theirs', async () => {
      const response = await stand.post(
        '/v1/messages',
        { ...greedy, max_tokens: 1 },
        { 'anthropic-version': '2023-06-01' },
      )
      expect(response.status).toBe(200)
      expect(response.headers.get('request-id')).toBe(response.headers.get('x-request-id'))
    })

    it('return errors in their own form', async () => {
      const refused = await stand.post('/v1/messages', { ...greedy, tools: [{ name: 'a' }] })
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
      const missing = await fetch(`${stand.edge.url}/v1/messages`, { method: 'POST' })
      expect(await missing.json()).toMatchObject({ error: { type: 'authentication_error' } })
      const lost = await stand.post('/v1/messages/batches', {})
      expect(await lost.json()).toMatchObject({ error: { type: 'not_found_error' } })
      const failure = await stand.anthropic.messages
        .create({ ...greedy, max_tokens: 0 })
        .catch((error: unknown) => error)
      expect(failure).toBeInstanceOf(BadRequest)
    })

    it.each(['fails', 'is torn'])('say that a stream %s', async (how) => {
      stand.nano.script = stand.failing(how)
      const read = async () => {
        const stream = await stand.anthropic.messages.create({ ...greedy, stream: true })
        for await (const event of stream) void event
      }
      await expect(read()).rejects.toMatchObject({
        error: { error: { details: { error_code: codes[how] } } },
      })
      await expect(stand.anthropic.messages.stream(greedy).finalMessage()).rejects.toThrow(/\w/)
    })
  })
}

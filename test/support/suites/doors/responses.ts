import { describe, expect, it } from 'vitest'
import { codes, dataUri, picture, question, type DoorStand } from './door-stand.ts'

export function describeResponses(stand: DoorStand): void {
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
      const { output } = await stand.native({ prompt: question, max_tokens: 24, temperature: 0 }, [
        picture,
      ])
      const whole = await stand.openai.responses.create(greedy)
      expect(whole).toMatchObject({ output_text: output, model: 'kimi-vl-nano', store: false })
      const stream = stand.openai.responses.stream(greedy)
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
      const answer = await stand.openai.responses.create({
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
      const { input_tokens: tokens } = await stand.openai.responses.inputTokens.count(asking)
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
        const response = await stand.post('/v1/responses', { ...greedy, ...change })
        expect(await response.json()).toMatchObject({
          error: { code: 'unsupported_field', param: Object.keys(change)[0] },
        })
      }
      const bad = await stand.post('/v1/responses', '{')
      expect(await bad.json()).toMatchObject({ error: { code: 'invalid_json', param: '' } })
      await expect(stand.openai.responses.retrieve('resp_1')).rejects.toMatchObject({
        status: 404,
        code: 'not_found',
        param: 'id',
        message: expect.stringContaining('not stored here') as string,
      })
    })

    it.each(['fails', 'is torn'])('say that a stream %s', async (how) => {
      stand.nano.script = stand.failing(how)
      const read = async () => {
        const stream = await stand.openai.responses.create({ ...greedy, stream: true })
        for await (const event of stream) void event
      }
      await expect(read()).rejects.toMatchObject({ code: codes[how] })
      const gathered = stand.openai.responses.stream(greedy).finalResponse()
      await expect(gathered).rejects.toMatchObject({ code: codes[how] })
    })
  })
}

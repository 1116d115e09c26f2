import { describe, expect, it } from 'vitest'
import { question, looking, type DoorStand } from './door-stand.ts'

export function describeSchemas(stand: DoorStand): void {
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
      const chat = await stand.openai.chat.completions.create({
        ...long,
        messages: looking,
        response_format: { type: 'json_schema', json_schema: { name: 'a', schema } },
      })
      expect(said(chat.choices[0]!.message.content!)).toEqual(expected)
      const response = await stand.openai.responses.create({
        ...long,
        input: question,
        text: { format: { type: 'json_schema', name: 'a', schema } },
      })
      expect(said(response.output_text)).toEqual(expected)
      const message = await stand.anthropic.messages.create({
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
        stand.post('/v1/chat/completions', {
          messages: looking,
          response_format: { type: 'json_schema', json_schema: format },
        }),
        stand.post('/v1/responses', { input: question, text: { format } }),
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
}

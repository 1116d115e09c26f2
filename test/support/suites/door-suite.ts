import { describe, expect, it } from 'vitest'
import { describeAiSdk } from './doors/ai-sdk.ts'
import { describeChat } from './doors/chat.ts'
import { DoorStand, look, picture, type StartEdge } from './doors/door-stand.ts'
import { describeKeys } from './doors/keys.ts'
import { describeMessages } from './doors/messages.ts'
import { describeResponses } from './doors/responses.ts'
import { describeSchemas } from './doors/schema.ts'

/** Behaviour towards the official clients of other APIs, with the little model, on every platform of the edge. */
export function describeDoors(platform: string, start: StartEdge): void {
  describe(`doors on ${platform}`, () => {
    const stand = new DoorStand(start)
    describeChat(stand)
    describeResponses(stand)
    describeSchemas(stand)
    describeMessages(stand)
    describeAiSdk(stand)
    describeKeys(stand, platform)

    it('a body of 100 MiB passes, and too much of it is refused', async () => {
      const file = Buffer.concat([picture, Buffer.alloc(4_600_000)]).toString('base64')
      const content = Array.from({ length: 16 }, () => look(`data:image/png;base64,${file}`))
      const body = { model: 'kimi-vl', max_tokens: 1, messages: [{ role: 'user', content }] }
      const response = await stand.post('/v1/chat/completions', body)
      expect(await response.json()).toMatchObject({ object: 'chat.completion' })
      const over = await stand.post('/v1/chat/completions', { ...body, x: 'x'.repeat(3_000_000) })
      expect(await over.json()).toMatchObject({ error: { code: 'body_too_large' } })
    })

    it('models list what there is, under all its names', async () => {
      const { data } = await stand.openai.models.list()
      expect(data.map(({ id }) => id)).toEqual(['kimi-vl-nano', 'kimi-vl'])
      expect(await stand.openai.models.retrieve('kimi-vl')).toMatchObject({
        id: 'kimi-vl',
        object: 'model',
        context_length: 131_072,
        input_modalities: ['text', 'image'],
        max_images: 16,
        image_tokens: 1_024,
      })
      const named = await stand.anthropic.models.list()
      expect(named.data).toMatchObject([
        { type: 'model', id: 'kimi-vl-nano', display_name: 'kimi-vl-nano' },
        { type: 'model', id: 'kimi-vl', max_input_tokens: 131_072 },
      ])
      expect(named.hasNextPage()).toBe(false)
      await expect(stand.openai.models.retrieve('gpt-4o')).rejects.toMatchObject({
        status: 404,
        code: 'model_not_found',
      })
    })
  })
}

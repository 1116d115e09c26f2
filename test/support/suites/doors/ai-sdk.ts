import { createOpenResponses } from '@ai-sdk/open-responses'
import { createOpenAICompatible } from '@ai-sdk/openai-compatible'
import { generateText, streamText } from 'ai'
import { describe, expect, it } from 'vitest'
import { apiKey, picture, question, type DoorStand } from './door-stand.ts'

export function describeAiSdk(stand: DoorStand): void {
  describe('the AI SDK', () => {
    const chat = () =>
      createOpenAICompatible({ name: 'describe', apiKey, baseURL: `${stand.edge.url}/v1` })(
        'kimi-vl',
      )
    const responses = () =>
      createOpenResponses({ name: 'describe', apiKey, url: `${stand.edge.url}/v1/responses` })(
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
      const { output } = await stand.native({ prompt: question, max_tokens: 24, temperature: 0 }, [
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
      stand.nano.script = stand.failing(how)
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
}

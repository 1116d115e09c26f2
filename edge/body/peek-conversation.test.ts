import { expect, it } from 'vitest'
import { peekConversation } from './peek-conversation.ts'

const peek = (body: object) => peekConversation(Buffer.from(JSON.stringify(body)))

it('counts messages, images and the bytes of all texts, those of images excepted', () => {
  const texts = ['', 'a', 'é€', '\u{1F600} and 中文', '"\n', 'ä'.repeat(300), '😀'.repeat(200)]
  const bytes = texts.reduce((sum, text) => sum + Buffer.byteLength(text), 0)
  const parts = texts.map((text) => ({ text }))
  const image = { type: 'image', source: { data: 'AAAA', url: 'data:image/png;base64,AAAA' } }
  expect(peek({ messages: [{ role: '', content: [...parts, image] }, { role: '' }] })).toEqual({
    // The part's type counts as text too.
    textBytes: bytes + 'image'.length,
    images: 1,
    messages: 2,
    firstText: '',
    choices: 1,
    maxTokens: undefined,
  })
})

it('looks at as many values as a conversation may have, and no more', () => {
  const part = { type: 'text', text: 'a' }
  const message = { role: 'user', content: Array.from({ length: 256 }, () => part) }
  expect(peek({ messages: Array.from({ length: 32 }, () => message) })?.messages).toBe(32)
  expect(peek({ messages: Array.from({ length: 160 }, () => message) })).toBeUndefined()
})

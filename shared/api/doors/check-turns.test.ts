import { expect, it } from 'vitest'
import { readChatRequest } from '../chat/read-request.ts'
import { ServiceError } from '../errors.ts'
import { readMessagesRequest } from '../messages/read-request.ts'
import { linkedImage } from './check-turns.ts'

it.each([
  ['chat', readChatRequest],
  ['messages', readMessagesRequest],
])('%s refuses more parts than allowed before it looks at them', (_door, read) => {
  let looked = 0
  const part = {
    get type() {
      looked += 1
      return 'text'
    },
    text: 'a',
  }
  const conversation = (turns: number) => ({
    max_tokens: 1,
    messages: Array.from({ length: turns }, () => ({
      role: 'user',
      content: Array.from({ length: 256 }, () => part),
    })),
  })
  const message = 'messages: at most 8192 parts are allowed in all messages together, received 8448'
  expect(() => read(conversation(33))).toThrow(message)
  expect(looked).toBe(0)
  expect(read(conversation(32)).asked.turns).toHaveLength(32)
  for (const body of [null, 5, {}, { messages: null }, { messages: [null, 5, { content: {} }] }]) {
    expect(() => read(body)).toThrow(ServiceError)
  }
})

it.each([
  'https://example.org/a.png',
  ' https://example.org/a.png',
  '\n\tHTTP://example.org/a.png',
])('takes %j for an address', (link) => {
  expect(linkedImage(link)).toEqual({ kind: 'url', url: link })
})

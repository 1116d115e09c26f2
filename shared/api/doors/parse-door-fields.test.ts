import { describe, expect, it } from 'vitest'
import { readChatRequest } from '../chat/read-request.ts'
import { readMessagesRequest } from '../messages/read-request.ts'
import { readResponsesRequest } from '../responses/read-request.ts'

const turn = (part: unknown) => [{ role: 'user', content: [part] }]
const chat = (part: unknown) => readChatRequest({ messages: turn(part) })
const responses = (part: unknown) => readResponsesRequest({ input: turn(part) })
const messages = (part: unknown) => readMessagesRequest({ max_tokens: 1, messages: turn(part) })

/** Reader, field of the messages, and the types of parts that its API or servers like this one have beyond ours. */
const doors = [
  ['chat', chat, 'messages', ['input_audio', 'file', 'video_url', 'audio_url', 'input_image']],
  ['responses', responses, 'input', ['input_file', 'input_audio', 'input_video', 'image_url']],
  [
    'messages',
    messages,
    'messages',
    ['document', 'search_result', 'tool_use', 'tool_result', 'container_upload', 'mcp_tool_use'],
  ],
] as const

describe('parseDoorFields()', () => {
  it.each(doors)('of %s refuses parts of other types by name', (_door, read, field, types) => {
    for (const type of types) {
      const place = `${field}.0.content.0.type`
      expect(() => read({ type })).toThrow(
        expect.objectContaining({
          code: 'unsupported_field',
          param: place,
          message: expect.stringContaining(
            `${place}: "${type}" is not supported here, expected '`,
          ) as string,
        }),
      )
    }
  })

  it.each(doors)('of %s takes what is no type for an invalid field', (_door, read, field) => {
    for (const type of [5, null, undefined, {}]) {
      const param = `${field}.0.content.0.type`
      expect(() => read({ type })).toThrow(
        expect.objectContaining({ code: 'invalid_field', param }),
      )
    }
  })

  it('repeats the beginning of a type only', () => {
    expect(() => chat({ type: 'x'.repeat(5_000) })).toThrow(/: "x{40}" is not supported/)
  })

  it('names other sources of images, and other formats', () => {
    const unsupported = (param: string) =>
      expect.objectContaining({ code: 'unsupported_field', param }) as object
    expect(() => messages({ type: 'image', source: { type: 'file', file_id: 'f' } })).toThrow(
      unsupported('messages.0.content.0.source.type'),
    )
    const body = { messages: [{ role: 'user', content: 'Hi' }] }
    expect(() => readChatRequest({ ...body, response_format: { type: 'grammar' } })).toThrow(
      unsupported('response_format.type'),
    )
  })
})

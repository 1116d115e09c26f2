import { describe, expect, it } from 'vitest'
import { readStream, readWhole } from './read-answer.ts'

const usage = { input_tokens: 20, cache_read_input_tokens: 10, output_tokens: 5, image_tokens: 8 }
const read = { prompt_tokens: 30, image_tokens: 8, completion_tokens: 5 }

async function* streamOf(events: readonly { readonly type: string }[]) {
  for (const event of events) {
    yield Buffer.from(`event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  }
}

describe('an answer of Messages', () => {
  it('may have a thought before its text, or nothing else', () => {
    const thought = { type: 'thinking', thinking: 'Hm. ', signature: '' }
    const text = { type: 'text', text: 'A cat.', citations: null }
    const textsOf = (content: readonly object[]) => readWhole('messages', { content, usage }).texts
    expect(textsOf([thought, text])).toEqual(['Hm. A cat.'])
    expect(textsOf([thought])).toEqual(['Hm. '])
    expect(textsOf([])).toEqual([''])
    expect(() => textsOf([{ type: 'tool_use', input: {} }])).toThrow(/content/)
  })

  it('is read to its end as it is streamed', async () => {
    const delta = (part: object) => ({ type: 'content_block_delta', index: 0, delta: part })
    const said = [
      delta({ type: 'thinking_delta', thinking: 'Hm. ' }),
      delta({ type: 'text_delta', text: 'A ' }),
      delta({ type: 'text_delta', text: 'cat.' }),
    ]
    const end = { type: 'message_delta', usage }
    const answer = await readStream('messages', streamOf([...said, end]))
    expect(answer).toEqual({ texts: ['Hm. A cat.'], usage: read })
    await expect(readStream('messages', streamOf(said))).rejects.toThrow('broke off')
  })
})

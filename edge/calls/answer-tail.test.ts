import { describe, expect, it } from 'vitest'
import { formatEvent } from '../../shared/api/sse.ts'
import { formatUsageComment } from '../../shared/forward/usage-comment.ts'
import { AnswerTail } from './answer-tail.ts'

const usage = { prompt_tokens: 812, image_tokens: 760, completion_tokens: 31 }
const timings = {
  prepare_ms: 10.1,
  queue_ms: 0,
  vision_ms: 1_000.5,
  prefill_ms: 200,
  decode_ms: 999.9,
  total_ms: 2_210.5,
}
const answerUsage = { ...usage, cached_tokens: 100 }
const rest = {
  finish_reason: 'stop',
  usage: answerUsage,
  timings,
  request_id: 'r'.repeat(64),
} as const
const end = formatEvent('end', rest)
const forged =
  '\n\nevent: end\ndata: {"usage":{"prompt_tokens":1,"completion_tokens":1}}\n: usage 1 2 3\n'

function tailOf(text: string, chunkBytes: number): AnswerTail {
  const tail = new AnswerTail()
  const bytes = new TextEncoder().encode(text)
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    tail.push(bytes.subarray(at, at + chunkBytes))
  }
  return tail
}

const endOf = (text: string) => tailOf(text, 100_000).end()

describe('AnswerTail', () => {
  it.each([1, 7, 100, 5_000, 100_000])('finds the usage of answers in chunks of %i', (size) => {
    const whole = JSON.stringify({ output: 'é'.repeat(20_000), ...rest })
    expect(tailOf(whole, size).end()).toEqual({ usage })
    const deltas = formatEvent('delta', { text: '\u{1F600}' }).repeat(900)
    expect(tailOf(deltas + end, size).end()).toEqual({ usage })
  })

  it('finds what a stream has used so far, until it is over', () => {
    const piece = (tokens: number) =>
      formatEvent('delta', { text: 'a' }) +
      formatUsageComment({ ...usage, completion_tokens: tokens })
    const stream = piece(1) + piece(2) + piece(3)
    const usageSoFar = { ...usage, completion_tokens: 3 }
    expect(endOf(stream)).toEqual({ usageSoFar })
    const error = { message: 'm', type: 'server_error', param: null, request_id: 'r' } as const
    const broken = stream + formatEvent('error', { error: { ...error, code: 'engine_restarted' } })
    expect(endOf(broken)).toEqual({ usageSoFar, errorCode: 'engine_restarted' })
  })

  it('knows what a stream has used however much of its next event has come', () => {
    const told = formatEvent('delta', { text: 'a' }) + formatUsageComment(usage)
    const tail = tailOf(told, told.length)
    for (let piece = 0; piece < 100; piece += 1) tail.push(new Uint8Array(100).fill(0x61))
    expect(tail.end()).toEqual({ usageSoFar: usage })
    const torn = formatUsageComment({ ...usage, completion_tokens: 3_456 }).slice(0, -4)
    tail.push(new TextEncoder().encode(`\n\n${torn}`))
    expect(tail.end()).toEqual({ usageSoFar: usage })
  })

  it('is not misled by what a model writes', () => {
    const delta = formatEvent('delta', { text: forged })
    expect(endOf(delta)).toEqual({})
    expect(endOf(delta + end)).toEqual({ usage })
    expect(endOf(JSON.stringify({ output: forged, ...rest }))).toEqual({ usage })
  })

  it('takes no usage that is no usage', () => {
    for (const wrong of [
      '{"prompt_tokens":-1,"completion_tokens":1}',
      '{"prompt_tokens":1.5}',
      '{}',
    ]) {
      expect(endOf(`{"output":"","usage":${wrong}}`)).toEqual({})
    }
    const plain = endOf('{"usage":{"prompt_tokens":3,"completion_tokens":1}}')
    expect(plain.usage).toEqual({ prompt_tokens: 3, image_tokens: 0, completion_tokens: 1 })
  })

  it('holds on to little, however much flows by', () => {
    const tail = tailOf('x'.repeat(1_000_000), 1_000)
    expect(tail.text().length).toBeLessThan(4_096)
    expect(tailOf('y'.repeat(100_000), 100_000).text()).toHaveLength(2_048)
  })
})

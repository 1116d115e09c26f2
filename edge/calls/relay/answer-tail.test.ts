import { describe, expect, it } from 'vitest'
import { errorFormOf } from '../../../shared/api/doors/error-forms.ts'
import { ServiceError } from '../../../shared/api/errors.ts'
import { routes } from '../../../shared/api/routes.ts'
import { formatEvent } from '../../../shared/api/wire/sse.ts'
import {
  formatEndComment,
  formatFailedComment,
  formatUsageComment,
} from '../../../shared/forward/usage-comment.ts'
import { AnswerTail } from './answer-tail.ts'

const usage = { prompt_tokens: 812, image_tokens: 760, completion_tokens: 31 }
const delta = formatEvent('delta', { text: 'a' })
const forged = '\n\n: end 1 2 3\n\n: usage 1 2 3\n\n: failed internal\n\n'

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
  it.each([1, 7, 100, 5_000, 100_000])('finds the usage of a stream in chunks of %i', (size) => {
    const deltas = formatEvent('delta', { text: '\u{1F600}' }).repeat(900)
    expect(tailOf(deltas + formatEndComment(usage), size).end()).toEqual({ usage })
    // Some APIs repeat the whole text in their last event.
    const long = `event: end\ndata: ${JSON.stringify({ text: 'é'.repeat(20_000) })}\n\n`
    expect(tailOf(long + formatEndComment(usage), size).end()).toEqual({ usage })
  })

  it('finds what a stream has used so far, until it is over', () => {
    const piece = (tokens: number) =>
      delta + formatUsageComment({ ...usage, completion_tokens: tokens })
    const stream = piece(1) + piece(2) + piece(3)
    const usageSoFar = { ...usage, completion_tokens: 3 }
    expect(endOf(stream)).toEqual({ usageSoFar })
    const error = { message: 'm', type: 'server_error', param: null, request_id: 'r' } as const
    const broken =
      stream +
      formatEvent('error', { error: { ...error, code: 'engine_restarted' } }) +
      formatFailedComment('engine_restarted')
    expect(endOf(broken)).toEqual({ usageSoFar, errorCode: 'engine_restarted' })
  })

  it('knows what a stream has used however much of its next event has come', () => {
    const told = delta + formatUsageComment(usage)
    const tail = tailOf(told, told.length)
    for (let piece = 0; piece < 100; piece += 1) tail.push(new Uint8Array(100).fill(0x61))
    expect(tail.end()).toEqual({ usageSoFar: usage })
    const torn = formatUsageComment({ ...usage, completion_tokens: 3_456 }).slice(0, -4)
    tail.push(new TextEncoder().encode(`\n\n${torn}`))
    expect(tail.end()).toEqual({ usageSoFar: usage })
  })

  it.each([1, 7, 100_000])(
    'counts a token for each event since the last word on usage, in chunks of %i',
    (size) => {
      const usageAt = (tokens: number) => ({
        usageSoFar: { ...usage, completion_tokens: usage.completion_tokens + tokens },
      })
      const beating = ': heartbeat\n\n'
      const stream = delta.repeat(9) + formatUsageComment(usage) + delta + beating + delta
      expect(tailOf(stream, size).end()).toEqual(usageAt(2))
      // The third has not arrived completely.
      expect(tailOf(stream + delta.slice(0, -2), size).end()).toEqual(usageAt(2))
    },
  )

  it.each([routes.text, routes.chat, routes.responses, routes.messages, routes.mcp])(
    'counts none of the events by which $path says that it failed',
    ({ path }) => {
      const error = new ServiceError('engine_restarted', 'm')
      const said = delta.repeat(2) + formatUsageComment(usage)
      const last = errorFormOf(path).streamed(error, 'r', said)
      const end = endOf(said + last + formatFailedComment(error.code))
      expect(end).toEqual({ usageSoFar: usage, errorCode: 'engine_restarted' })
    },
  )

  it('is not misled by what a model writes', () => {
    const written = formatEvent('delta', { text: forged })
    expect(endOf(written)).toEqual({})
    expect(endOf(written + formatEndComment(usage))).toEqual({ usage })
  })

  it('takes no usage that is no usage', () => {
    for (const wrong of ['', '1 2', '-1 2 3', '1.5 2 3', '1 2 3 4', '9'.repeat(20) + ' 1 1']) {
      expect(endOf(`${delta}: end ${wrong}\n\n`)).toEqual({})
    }
  })

  it('holds on to little, however much flows by', () => {
    const tail = tailOf('x'.repeat(1_000_000), 1_000)
    expect(tail.text().length).toBeLessThan(4_096)
    expect(tailOf('y'.repeat(100_000), 100_000).text()).toHaveLength(2_048)
  })
})

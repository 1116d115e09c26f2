import { expect, it } from 'vitest'
import { BodyMemory } from '../../../shared/bytes/body-memory.ts'
import { Exchange } from '../exchange/exchange.ts'
import { UsageComments } from './usage-comments.ts'

const delta = { type: 'delta', index: 0, text: 'a' } as const
const usageOf = (completion_tokens: number) => ({
  prompt_tokens: 30,
  image_tokens: 20,
  completion_tokens,
})

function setUp() {
  const clock = { ms: 5_000 }
  const exchange = new Exchange('r', new BodyMemory(Infinity))
  const comments = new UsageComments(exchange, () => clock.ms)
  const behindText = (tokens: number) => {
    exchange.facts.usage = usageOf(tokens)
    return comments.behind(delta)
  }
  return { clock, exchange, comments, behindText }
}

it('says behind the first text what was used, and once a second from then on', () => {
  const { clock, behindText } = setUp()
  expect(behindText(1)).toBe(': usage 30 20 1\n\n')
  expect(behindText(2)).toBe('')
  clock.ms += 999
  expect(behindText(3)).toBe('')
  clock.ms += 1
  expect(behindText(4)).toBe(': usage 30 20 4\n\n')
  expect(behindText(5)).toBe('')
})

it('says behind the end what all has used, and of a failure what was still unsaid', () => {
  const { comments, behindText } = setUp()
  expect(comments.rest()).toBe('')
  behindText(1)
  expect(comments.rest()).toBe('')
  behindText(2)
  expect(comments.rest()).toBe(': usage 30 20 2\n\n')
  const timings = {
    prepare_ms: 0,
    queue_ms: 0,
    vision_ms: 0,
    prefill_ms: 0,
    decode_ms: 0,
    total_ms: 0,
  }
  const usage = { ...usageOf(3), cached_tokens: 0 }
  const end = { type: 'end', endings: [{ reason: 'stop' }], usage, timings } as const
  expect(comments.behind(end)).toBe(': end 30 20 3\n\n')
})

it('says nothing of a stream that failed before its first text', () => {
  const { comments, exchange } = setUp()
  exchange.facts.usage = usageOf(1)
  expect(comments.rest()).toBe('')
})

import { describe, expect, it } from 'vitest'
import { ManualTimers } from '../../test/support/backends/test-backend.ts'
import { ServiceError } from '../../shared/api/errors.ts'
import type { GenerationEvent } from '../../shared/api/events.ts'
import type { DescribeRequest } from '../describe.ts'
import { readPreprocessorConfig } from '../model/config/preprocessor-config.ts'
import { prepareImage } from '../processor/image/prepare-image.ts'
import { tinyPicture } from './tiny-picture.ts'
import { WarmUp } from './warm-up.ts'

const timings = {
  prepare_ms: 1,
  queue_ms: 1,
  vision_ms: 1,
  prefill_ms: 1,
  decode_ms: 1,
  total_ms: 5,
}

function endWith(image_tokens: number): GenerationEvent {
  const usage = { prompt_tokens: 20, image_tokens, completion_tokens: 2, cached_tokens: 0 }
  return { type: 'end', endings: [{ reason: 'length' }], usage, timings }
}

/** A warm-up whose attempts end as the test says, one after the other. */
function createWarmUp(answer: (attempt: number, signal: AbortSignal) => Promise<GenerationEvent>) {
  const timers = new ManualTimers()
  const requests: DescribeRequest[] = []
  const problems: string[] = []
  const warmUp = new WarmUp({
    after: timers.after,
    onFailure: ({ message }) => problems.push(message),
    async *describe(request, signal) {
      requests.push(request)
      yield await answer(requests.length, signal)
    },
  })
  return { warmUp, timers, requests, problems }
}

describe('WarmUp', () => {
  it('passes when a picture was described, behind everybody else', async () => {
    const { warmUp, requests } = createWarmUp(async () => endWith(4))
    expect(warmUp.passed).toBe(false)
    await warmUp.begin()
    await warmUp.passedOnce
    expect(warmUp.passed).toBe(true)
    expect(requests).toMatchObject([{ priority: 'batch', tenant: 'server:warm-up' }])
    expect(requests[0]?.images).toEqual([tinyPicture()])
  })

  it('tries again after a failure, and after an answer without a picture, ever less often', async () => {
    const { warmUp, timers, problems } = createWarmUp(async (attempt) => {
      if (attempt === 1) throw new ServiceError('queue_full', 'The queue is full')
      return endWith(attempt === 2 ? 0 : 4)
    })
    const done = warmUp.begin()
    await expect.poll(() => timers.fire(500)).toBe(1)
    expect(warmUp.passed).toBe(false)
    await expect.poll(() => timers.fire(1_000)).toBe(1)
    await done
    expect(warmUp.passed).toBe(true)
    expect(problems).toEqual([
      'The queue is full',
      'The test generation ended without an answer about its picture',
    ])
  })

  it('begins anew for a fresh engine: what another one answers counts no more', async () => {
    const late = Promise.withResolvers<GenerationEvent>()
    const { warmUp, problems } = createWarmUp(async (attempt) =>
      attempt === 2 ? late.promise : endWith(4),
    )
    await warmUp.begin()
    const second = warmUp.begin()
    expect(warmUp.passed).toBe(false)
    const third = warmUp.begin()
    late.resolve(endWith(4))
    await second
    await third
    expect(warmUp.passed).toBe(true)
    expect(problems).toEqual([])
  })

  it('ends at once when it is stopped, even between two attempts', async () => {
    const { warmUp, requests, problems } = createWarmUp(async () => {
      throw new ServiceError('model_loading', 'The model is still loading')
    })
    const done = warmUp.begin()
    await expect.poll(() => problems).toHaveLength(1)
    warmUp.stop()
    await done
    expect([warmUp.passed, requests.length]).toEqual([false, 1])
  })
})

describe('tinyPicture()', () => {
  it('is a picture that the processor reads', async () => {
    const config = await readPreprocessorConfig('models/kimi-vl-nano')
    const { gridHw } = await prepareImage(tinyPicture(), config)
    expect(gridHw).toEqual([4, 4])
  })
})

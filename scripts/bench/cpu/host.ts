import sharp from 'sharp'
import { createSampler } from '../../../backend/engine/sampling/sampler.ts'
import type { SamplingParams } from '../../../backend/engine/job.ts'
import type { PreprocessorConfig } from '../../../backend/model/config/preprocessor-config.ts'
import { prepareImage } from '../../../backend/processor/image/prepare-image.ts'
import { measure, type BenchRow } from '../measure.ts'

const vocabSize = 163_840

/** Runs one token's logits through the sampler, with log probabilities when `topLogprobs` is given. */
export async function benchSampler(
  name: string,
  sampling: Partial<SamplingParams>,
  topLogprobs?: number,
): Promise<BenchRow> {
  const job = {
    promptIds: new Int32Array(512).fill(17),
    stopIds: [163_586],
    controlIdsFrom: 163_584,
    sampling: { temperature: 0.7, topP: 0.9, seed: 1, ...sampling },
    topLogprobs,
  }
  const sampler = createSampler(job, 0, { imageTokenId: 163_605, vocabSize })
  const logits = Float32Array.from({ length: vocabSize }, () => 4 * gaussian())
  const row = new Float32Array(vocabSize)
  const { bestMs, medianMs } = await measure(200, () => {
    row.set(logits)
    sampler.pick(row)
    return Promise.resolve()
  })
  return {
    name: `sampler, ${name}`,
    value: `${(bestMs * 1000).toFixed(0)} µs (median ${(medianMs * 1000).toFixed(0)})`,
    ratio: '',
    data: { bestMs, medianMs },
  }
}

/** Sum of twelve uniform numbers: close enough to a normal distribution of variance 1. */
function gaussian(): number {
  let sum = -6
  for (let i = 0; i < 12; i++) sum += Math.random()
  return sum
}

/** Decoding, resizing and patching of one JPEG on one thread. */
export async function benchImage(
  width: number,
  height: number,
  config: PreprocessorConfig,
): Promise<BenchRow> {
  const noise = { type: 'gaussian', mean: 128, sigma: 40 } as const
  const file = await sharp({ create: { width, height, channels: 3, background: '#888', noise } })
    .blur(2)
    .jpeg({ quality: 85 })
    .toBuffer()
  const { bestMs, medianMs } = await measure(8, () => prepareImage(file, config))
  return {
    name: `image preparation, ${width} x ${height} JPEG`,
    value: `${(1000 / bestMs).toFixed(1)} a second and core (${bestMs.toFixed(1)} ms, median ${medianMs.toFixed(1)})`,
    ratio: '',
    data: { width, height, bestMs, medianMs },
  }
}

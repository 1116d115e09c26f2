import type { EngineEvent, GenerateJob } from '../../../backend/engine/job.ts'
import type { Model, PatchImage } from '../../../backend/model/model.ts'

let jobs = 0

/** Greedy, of random ids. @param prompt its tokens */
export function job(
  prompt: number,
  maxTokens: number,
  images: readonly PatchImage[] = [],
): GenerateJob {
  jobs += 1
  return {
    id: `bench-${jobs}`,
    tenant: 'bench',
    priority: 'interactive',
    promptIds: Int32Array.from({ length: prompt }, () => Math.floor(Math.random() * 100_000)),
    images,
    maxTokens,
    stopIds: [],
    controlIdsFrom: 163_584,
    sampling: { temperature: 0, topP: 1, seed: 1 },
  }
}

export const never = () => new AbortController().signal

/** One token about an image with a short question around it. Images of different shades are different images. */
export function imageJob(
  model: Model,
  gridHw: readonly [number, number],
  shade: number,
): GenerateJob {
  const { mergeSize, patchSize, imageTokenId } = model.info
  const patchCount = gridHw[0] * gridHw[1]
  const patches = new Uint8Array(patchCount * 3 * patchSize ** 2).fill(shade)
  const base = job(30, 1, [{ patches, gridHw }])
  const pads = new Int32Array(patchCount / mergeSize ** 2).fill(imageTokenId)
  const ids = [...base.promptIds.subarray(0, 15), ...pads, ...base.promptIds.subarray(15)]
  return { ...base, promptIds: Int32Array.from(ids) }
}

/** Arrival times of a stream's tokens, in milliseconds. */
export async function tokenTimes(events: AsyncIterable<EngineEvent>): Promise<number[]> {
  const times: number[] = []
  for await (const event of events) if (event.type === 'tokens') times.push(performance.now())
  return times
}

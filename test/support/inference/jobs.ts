import type { EngineEvent, GenerateJob } from '../../../backend/engine/job.ts'
import type { PatchImage } from '../../../backend/model/model.ts'
import { fakeModelInfo } from './fake-model.ts'

let nextJob = 0

/** A greedy text job for the fake model; ids from 56 upwards are control tokens, and 56 ends an answer. */
export function createJob(changes: Partial<GenerateJob> = {}): GenerateJob {
  return {
    id: `job-${nextJob++}`,
    tenant: 'someone',
    priority: 'interactive',
    promptIds: Int32Array.of(1, 2, 3),
    images: [],
    maxTokens: 8,
    stopIds: [56],
    controlIdsFrom: 56,
    sampling: { temperature: 0, topP: 1, seed: 0 },
    ...changes,
  }
}

/** Prompt and images of a job with one image per grid, and text before, between and after them. */
export function imagePrompt(
  ...grids: [number, number][]
): Pick<GenerateJob, 'promptIds' | 'images'> {
  const { imageTokenId, mergeSize, patchSize } = fakeModelInfo
  const ids = grids.flatMap(([rows, columns], index) => {
    const tokens = (rows * columns) / mergeSize ** 2
    return [index + 1, ...Array.from({ length: tokens }, () => imageTokenId)]
  })
  return { promptIds: Int32Array.from([...ids, 9, 8]), images: grids.map(createImage) }

  function createImage(gridHw: [number, number], index: number): PatchImage {
    const bytes = gridHw[0] * gridHw[1] * 3 * patchSize ** 2
    return { gridHw, patches: new Uint8Array(bytes).map((_, at) => at * 31 + index * 77) }
  }
}

/** An answer read to its end. */
export interface Answer {
  readonly ids: number[]
  readonly types: EngineEvent['type'][]
  readonly end: Extract<EngineEvent, { type: 'end' }>
}

/** @throws what the stream throws; an Error when it ends without `end` */
export async function readAnswer(events: AsyncIterable<EngineEvent>): Promise<Answer> {
  const ids: number[] = []
  const types: EngineEvent['type'][] = []
  let end: Answer['end'] | undefined
  for await (const event of events) {
    if (end !== undefined) throw new Error(`${event.type} after end`)
    types.push(event.type)
    if (event.type === 'tokens') ids.push(...event.ids)
    if (event.type === 'end') end = event
  }
  if (end === undefined) throw new Error('the stream has no end')
  return { ids, types, end }
}

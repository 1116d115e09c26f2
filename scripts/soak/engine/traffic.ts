import type { GenerateJob } from '../../../backend/engine/job.ts'
import type { ModelInfo, PatchImage } from '../../../backend/model/model.ts'
import { createDraws } from '../draws.ts'

interface SoakRequest {
  readonly job: GenerateJob
  /** Events after which the client leaves, if it does; 0 means before the first. */
  readonly leavesAfter: number | undefined
}

const tenants = ['a', 'b', 'c']
/** Tokens of the texts that requests begin with. */
const systemTokens = [0, 20, 70, 100, 150]
/** Sides, in patches, of the pictures that recur. */
const grids = [
  [4, 4],
  [6, 8],
  [8, 8],
  [10, 12],
  [12, 12],
] as const
const longestTail = 120
const longestPrompt = 500
const longestAnswer = 40
/** Ids at the end of the vocabulary that are left to control tokens. */
const controlTokens = 256

/**
 * Requests of all kinds, in an order determined by `seed`: short and long, with and without pictures, with and without
 * shared prefixes, from several tenants; in one of six the client leaves.
 */
export function createTraffic(info: ModelInfo, seed: number): () => SoakRequest {
  const { below, oneIn, pick } = createDraws(seed)
  const firstControlId = info.vocabSize - controlTokens
  const text = (tokens: number) => Array.from({ length: tokens }, () => below(firstControlId))
  const systems = systemTokens.map(text)
  const pictures = grids.map(([rows, columns]): PatchImage => {
    const bytes = rows * columns * 3 * info.patchSize ** 2
    return { gridHw: [rows, columns], patches: new Uint8Array(bytes).map(() => below(256)) }
  })
  const placeholders = ({ gridHw: [rows, columns] }: PatchImage) =>
    Array.from({ length: (rows * columns) / info.mergeSize ** 2 }, () => info.imageTokenId)
  let count = 0

  return () => {
    const images = oneIn(3) ? Array.from({ length: 1 + below(2) }, () => pick(pictures)) : []
    const promptIds = [
      ...pick(systems),
      ...images.flatMap((image) => [1, ...placeholders(image), 2]),
      ...text(1 + below(oneIn(20) ? longestPrompt : longestTail)),
    ]
    const job: GenerateJob = {
      id: `soak-${count++}`,
      tenant: pick(tenants),
      priority: oneIn(5) ? 'batch' : 'interactive',
      promptIds: Int32Array.from(promptIds),
      images,
      maxTokens: 1 + below(longestAnswer),
      stopIds: [firstControlId + 1],
      controlIdsFrom: firstControlId,
      sampling: { temperature: oneIn(2) ? 0 : 1, topP: 0.95, seed: count },
      choices: oneIn(15) ? 2 : 1,
    }
    return { job, leavesAfter: oneIn(6) ? below(12) : undefined }
  }
}

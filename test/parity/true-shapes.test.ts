import { mkdir, mkdtemp, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openModelSource } from '../../backend/model/convert/source/model-source.ts'
import { PartBalance } from '../../backend/model/convert/graphs/part-balance.ts'
import { componentForms } from '../../backend/model/convert/graphs/weight-forms.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import { streamLogits } from '../../backend/model/streamed/stream-logits.ts'
import { LogitSums } from '../../backend/models/check/logit-sums.ts'
import { successorDistance } from '../../backend/models/synthesise/random-tensor.ts'
import { synthesiseModel } from '../../backend/models/synthesise/synthesise-model.ts'
import { likeliest } from '../support/model/follow-answer.ts'

/** Milliseconds: some GB are written and read. */
const patience = 600_000

/** Every tensor has the shape that it has in Kimi-VL-A3B; there are a dense layer, one with experts and one vision block. */
const sizes = { layers: 2, visionLayers: 1, experts: 6 }
const vocabulary = 163_840
const placeholder = 163_605

/** Bytes that streaming may take, whatever the number of layers; even this small model has 3.5 GB in float32. */
const memoryBudget = 2.5e9

const { signal } = new AbortController()
const patches = Uint8Array.from({ length: 4 * 6 * 588 }, (_, i) => (i * 7919) % 256)
const image = { patches, gridHw: [4, 6] as const }

/** What a synthesised model answers to a token. */
const after = (token: number) => (token + successorDistance) % vocabulary

let folder: string
let checkpointDir: string
beforeAll(async () => {
  // Not in the folder for temporary files, which may be in memory.
  await mkdir('dist', { recursive: true })
  folder = await mkdtemp('dist/true-shapes-')
  checkpointDir = join(folder, 'checkpoint')
  await synthesiseModel(checkpointDir, { sizes, report() {}, signal })
}, patience)
afterAll(() => rm(folder, { recursive: true }))

describe('a checkpoint with the shapes of Kimi-VL-A3B', () => {
  it(
    'is streamed within its budget of memory: in both forms, tokens are followed by their successors',
    async () => {
      const source = await openModelSource(checkpointDir)
      const promptIds = [5, ...Array<number>(6).fill(placeholder), 700]
      const answerIds = [after(700), 9, 80_000, after(80_000)]
      const texts = [{ promptIds, answerIds, images: [image] }]
      const forms = [componentForms({ weights: 'f32' }), componentForms({ weights: 'q8' })]
      const sums = forms.map(() => answerIds.map(() => new LogitSums()))
      const balance = new PartBalance(source.checkpoint, source.config)
      const options = { balance, onProgress() {}, signal }
      for await (const { firstId, count, logits } of streamLogits(source, texts, forms, options)) {
        sums.forEach((rows, form) =>
          rows.forEach((row, i) =>
            row.add(firstId, logits[form]!.subarray(i * count, (i + 1) * count)),
          ),
        )
      }
      await source.checkpoint.close()
      const expected = [700, ...answerIds.slice(0, -1)].map(after)
      for (const rows of sums) expect(rows.map(({ bestId }) => bestId)).toEqual(expected)
      // Kilobytes: ru_maxrss of this process, the test's own memory included.
      expect(process.resourceUsage().maxRSS * 1024).toBeLessThan(memoryBudget)
    },
    patience,
  )

  it(
    'is converted, loaded and run: tokens are followed by their successors',
    async () => {
      const options = { modelsDir: join(folder, 'models'), weights: 'q8', slots: 1 } as const
      const model = await loadModel({ ...options, checkpointDir, threads: 2 })
      const slot = model.openSlot()
      let token = 5
      for (let i = 0; i < 8; i++) {
        const tokenIds = Int32Array.of(token)
        const [next] = await model.step([{ slot, tokenIds, features: [], sample: true }])
        expect(likeliest(await next!.row())).toBe(after(token))
        token = after(token)
      }
      await model.close()
    },
    patience,
  )
})

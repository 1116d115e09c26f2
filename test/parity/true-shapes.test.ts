import { cp, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { constants } from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readManifest } from '../../backend/model/convert/manifest.ts'
import { openModelSource } from '../../backend/model/convert/source/model-source.ts'
import { PartBalance } from '../../backend/model/convert/graphs/part-balance.ts'
import { componentForms } from '../../backend/model/convert/graphs/weight-forms.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import { streamLogits } from '../../backend/model/streamed/stream-logits.ts'
import { LogitSums } from '../../backend/models/check/logit-sums.ts'
import { successorDistance } from '../../backend/models/synthesise/random-tensor.ts'
import { measureModels } from '../../scripts/bench/convert/measure-program.ts'
import { nano } from './golden-cases.ts'
import { likeliest } from '../support/model/follow-answer.ts'
import { writeTrueShapes } from '../support/model/true-shapes.ts'

/** Milliseconds: a GB is written and read. */
const patience = 600_000

/** A dense layer and three with an expert, beside the shared one, and one vision block: 0.55 GB, and 0.35 GB converted. */
const sizes = { layers: 4, visionLayers: 1, experts: 1 }
const vocabulary = 4096

/**
 * Bytes of the process that converts. Four layers take 0.38 GB with two threads; whoever holds the checkpoint needs 0.55 GB more, and in
 * float32 1.1 GB.
 */
const conversionBudget = 500e6 + 100e6 * availableParallelism()

/** The same where channels are measured first: 0.69 GB, of which the largest layer has 0.28 GB in float32. */
const measuringBudget = Math.max(800e6, conversionBudget)

/** Bytes that streaming may take; 0.93 GB are needed here for the largest piece in three copies. All of this model is 1.1 GB in float32. */
const streamingBudget = 1.7e9

const { signal } = new AbortController()
const patches = Uint8Array.from({ length: 4 * 6 * 588 }, (_, i) => (i * 7919) % 256)
const image = { patches, gridHw: [4, 6] as const }

/** What a synthesised model answers to a token. */
const after = (token: number) => (token + successorDistance) % vocabulary

let folder: string
let checkpointDir: string
let placeholder: number
beforeAll(async () => {
  // Not in the folder for temporary files, which may be in memory.
  await mkdir('dist', { recursive: true })
  folder = await mkdtemp('dist/true-shapes-')
  checkpointDir = join(folder, 'checkpoint')
  ;({ placeholder } = await writeTrueShapes(checkpointDir, sizes, vocabulary))
}, patience)
afterAll(() => rm(folder, { recursive: true }))

describe('a checkpoint with the shapes of Kimi-VL-A3B', () => {
  it(
    'is converted within its budget of memory, four layers deep',
    async () => {
      const environment = { STATE_DIR: folder }
      const given = ['convert', checkpointDir]
      const { memory } = await measureModels({ checkout: '.', arguments: given, environment })
      expect(memory).toBeLessThan(conversionBudget)
    },
    patience,
  )

  it(
    'is measured and converted within its budget of memory',
    async () => {
      const measuredDir = join(folder, 'measured')
      await cp(checkpointDir, measuredDir, { recursive: true, mode: constants.COPYFILE_FICLONE })
      await cp(join(nano, 'tiktoken.model'), join(measuredDir, 'tiktoken.model'))
      const names = { added_tokens_decoder: { [placeholder]: { content: '<|media_pad|>' } } }
      await writeFile(join(measuredDir, 'tokenizer_config.json'), JSON.stringify(names))
      const environment = { STATE_DIR: folder }
      const given = ['convert', measuredDir]
      const { memory } = await measureModels({ checkout: '.', arguments: given, environment })
      expect(memory).toBeLessThan(measuringBudget)
      const manifest = await readManifest(join(folder, 'models', 'measured-onnx-q8'))
      expect(manifest?.calibration).toBeDefined()
    },
    patience,
  )

  it(
    'is streamed within its budget of memory: in both forms, tokens are followed by their successors',
    async () => {
      const source = await openModelSource(checkpointDir)
      const promptIds = [5, ...Array<number>(6).fill(placeholder), 700]
      const answerIds = [after(700), 9, 3_000, after(3_000)]
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
      expect(process.resourceUsage().maxRSS * 1024).toBeLessThan(streamingBudget)
    },
    patience,
  )

  it(
    'is loaded and run: tokens are followed by their successors',
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

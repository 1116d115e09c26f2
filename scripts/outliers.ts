import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { readPreprocessorConfig } from '../backend/model/config/preprocessor-config.ts'
import type { WeightFormName } from '../backend/model/convert/graphs/weight-forms.ts'
import { loadModel } from '../backend/model/load-model.ts'
import type { Model, PatchImage } from '../backend/model/model.ts'
import { prepareImage } from '../backend/processor/image/prepare-image.ts'
import {
  answer,
  greedy,
  nano,
  readGoldenCases,
  type GoldenCase,
} from '../test/parity/golden-cases.ts'
import { lookAt } from '../test/support/model/look-at.ts'
import {
  writeOutlierCheckpoint,
  type OutlierPart,
} from '../test/support/model/outlier-checkpoint.ts'
import { drawScenes } from './outliers/scenes.ts'

const sceneCount = 64
const factors = [1, 16, 64, 256, 1024]
const places: readonly (readonly OutlierPart[])[] = [
  ['text'],
  ['vision'],
  ['text', 'vision'],
  ['middle'],
  ['text', 'vision', 'middle'],
]

/** Questions for a model, and the right answers. */
interface Questions {
  readonly cases: readonly GoldenCase[]
  readonly scenes: readonly PatchImage[]
  /** Answers about the scenes, by nano in float32. */
  readonly sceneAnswers: readonly string[]
  /** Provides the prompt for the scenes, whose pictures have the same size. */
  readonly asked: GoldenCase
}

/**
 * `npm run outliers`: compares nanos with outlier channels, which compute the same as nano, with the reference in 8
 * bits: the number of equal answers for each size and position of the outliers.
 * @returns the exit code: 1 when fewer than 97 % of the answers in a row of the table are equal
 */
export async function main(given: readonly string[]): Promise<number> {
  const program = new Command('npm run outliers --')
    .description('Answers of models with outlier channels in 8 bits, against the reference')
    .option('--seed <n>', 'which channels become outliers', Number, 1)
    .option('--places <list>', 'only rows with outliers in one of these, such as middle')
    .parse([...given], { from: 'user' })
  const { seed, places: only = '' } = program.opts<{ seed: number; places?: string }>()
  const folder = await mkdtemp(join(tmpdir(), 'outliers-'))
  try {
    const questions = await prepareQuestions(folder)
    let failed = false
    for (const parts of places.filter((all) => all.some((part) => only.includes(part)) || !only)) {
      for (const factor of factors) {
        const checkpoint = join(folder, `${parts.join('-')}-${factor}`)
        await writeOutlierCheckpoint(checkpoint, nano, { parts, power: Math.log2(factor), seed })
        const right = await withModel(folder, checkpoint, 'q8', (model) => ask(model, questions))
        failed ||= right.cases < 0.97 * questions.cases.length || right.scenes < 0.97 * sceneCount
        const counts = `${right.cases} of ${questions.cases.length} cases, ${right.scenes} of ${sceneCount} scenes`
        console.log(`${parts.join(' and ')} times ${factor}: ${counts}`)
        await rm(checkpoint, { recursive: true })
      }
    }
    return failed ? 1 : 0
  } finally {
    await rm(folder, { recursive: true })
  }
}

async function prepareQuestions(folder: string): Promise<Questions> {
  const cases = await readGoldenCases()
  const asked = cases.find(({ id }) => id === 'describe-g01')!
  const config = await readPreprocessorConfig(nano)
  const drawn = await drawScenes(sceneCount, 1)
  const scenes = await Promise.all(drawn.map((bytes) => prepareImage(bytes, config)))
  const sceneAnswers = await withModel(folder, nano, 'f32', (model) =>
    describe(model, scenes, asked),
  )
  return { cases, scenes, sceneAnswers, asked }
}

async function withModel<Result>(
  folder: string,
  checkpointDir: string,
  weights: WeightFormName,
  use: (model: Model) => Promise<Result>,
): Promise<Result> {
  const modelsDir = join(folder, 'models')
  const threads = availableParallelism()
  const model = await loadModel({ checkpointDir, modelsDir, weights, slots: 1, threads })
  try {
    return await use(model)
  } finally {
    await model.close()
  }
}

/** @returns the number of right answers */
async function ask(
  model: Model,
  { cases, scenes, sceneAnswers, asked }: Questions,
): Promise<{ readonly cases: number; readonly scenes: number }> {
  let rightCases = 0
  for (const golden of cases) {
    const { ids } = await greedy(model, golden)
    if (ids.join() === golden.greedy_ids.join()) rightCases += 1
  }
  const answers = await describe(model, scenes, asked)
  const rightScenes = answers.filter((text, i) => text === sceneAnswers[i]).length
  return { cases: rightCases, scenes: rightScenes }
}

async function describe(
  model: Model,
  scenes: readonly PatchImage[],
  { prompt_ids: promptIds }: GoldenCase,
): Promise<string[]> {
  const answers: string[] = []
  for (const scene of scenes) {
    const at = promptIds.indexOf(model.info.imageTokenId)
    const features = [{ at, features: await lookAt(model, scene) }]
    answers.push((await answer(model, promptIds, features, 256)).ids.join())
  }
  return answers
}

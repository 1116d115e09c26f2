import { mkdtemp, rm } from 'node:fs/promises'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { Command } from 'commander'
import { readRanks, readTokenizerFile } from '../backend/model/config/tokenizer-file.ts'
import { PartBalance } from '../backend/model/convert/graphs/part-balance.ts'
import { readPreprocessorConfig } from '../backend/model/config/preprocessor-config.ts'
import type { FormChoice } from '../backend/model/convert/graphs/weight-forms.ts'
import { openModelSource } from '../backend/model/convert/source/model-source.ts'
import { measureAll } from '../backend/model/streamed/measure-channels.ts'
import { compareWithFloat } from '../backend/models/check/compare-forms.ts'
import { checkSet } from '../backend/models/check/check-set.ts'
import { chosenForm } from '../backend/models/form-options.ts'
import { createTokenizer } from '../backend/processor/text/tokenizer.ts'
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
  type Outliers,
} from '../test/support/model/outlier-checkpoint.ts'
import { drawScenes } from './outliers/scenes.ts'

const sceneCount = 64

/** Share of answers, or of tokens, that must be equal. */
const leastEqual = 0.97

/** Places where outliers change nothing, or almost nothing, about the result: answers are compared with nano's. */
const places: readonly (readonly OutlierPart[])[] = [
  ['text'],
  ['vision'],
  ['text', 'vision'],
  ['middle'],
  ['text', 'vision', 'middle'],
]

/** Places where they change the result: each model is compared with its own float32 form, token by token. */
const residualPlaces: readonly (readonly OutlierPart[])[] = [['residual'], ['massive'], ['faint']]

interface Options {
  readonly seeds: string
  readonly factors: string
  readonly channels: string
  readonly places: string
  readonly block?: string
}

/** Questions for a model, and the right answers. */
interface Questions {
  readonly cases: readonly GoldenCase[]
  readonly scenes: readonly PatchImage[]
  /** Answers about the scenes, by nano in float32. */
  readonly sceneAnswers: readonly string[]
  /** Provides the prompt for the scenes, whose pictures have the same size. */
  readonly asked: GoldenCase
}

/** How much of a model's output is equal, in words, and whether that is enough. */
interface Outcome {
  readonly text: string
  readonly isEnough: boolean
}

/**
 * `npm run outliers`: compares nano models with outlier channels, in 8 bits, with the reference or with themselves in
 * float32, for each size and position of the outliers.
 * @returns the exit code: 1 when fewer than 97 % of the answers, or tokens, in a row of the table are equal
 */
export async function main(given: readonly string[]): Promise<number> {
  const program = new Command('npm run outliers --')
    .description('Answers of models with outlier channels in 8 bits, against the reference')
    .option('--seeds <list>', 'which channels become outliers, such as 1,2,3', '1')
    .option('--factors <list>', 'powers of two, by which they are larger', '1,16,64,256,1024')
    .option('--channels <list>', 'how many of each activation', '2')
    .option('--places <list>', 'only these rows, such as middle,text+vision', '')
    .option('--block <size>', 'weights that share a scale')
    .parse([...given], { from: 'user' })
  const options = program.opts<Options>()
  const choice = chosenForm({ weights: 'q8' }, options)
  const folder = await mkdtemp(join(tmpdir(), 'outliers-'))
  try {
    const questions = await prepareQuestions(folder)
    let failed = false
    for (const outliers of rowsOf(options)) {
      const checkpoint = join(folder, 'checkpoint')
      await writeOutlierCheckpoint(checkpoint, nano, outliers)
      const result = isResidual(outliers.parts)
        ? await compareTokens(checkpoint, choice)
        : await compareWithNano(folder, checkpoint, choice, questions)
      failed ||= !result.isEnough
      const { parts, power, seed, channels } = outliers
      const name = `${channels} in ${parts.join(' and ')} times ${2 ** power}, seed ${seed}`
      console.log(`${name}: ${result.text}`)
      await rm(checkpoint, { recursive: true })
      await rm(join(folder, 'models'), { recursive: true, force: true })
    }
    return failed ? 1 : 0
  } finally {
    await rm(folder, { recursive: true })
  }
}

function rowsOf({ seeds, factors, channels, places: only }: Options): Outliers[] {
  const numbers = (list: string) => list.split(',').map(Number)
  return [...places, ...residualPlaces]
    .filter((parts) => only === '' || only.split(',').includes(parts.join('+')))
    .flatMap((parts) =>
      numbers(seeds).flatMap((seed) =>
        numbers(factors).flatMap((factor) =>
          numbers(channels).map((count) => ({
            parts,
            power: Math.log2(factor),
            seed,
            channels: count,
          })),
        ),
      ),
    )
}

function isResidual(parts: readonly OutlierPart[]): boolean {
  return residualPlaces.some((own) => own.join() === parts.join())
}

/** The likeliest tokens after those of given answers, in 8 bits and in float32: see `describe model check`. */
async function compareTokens(checkpointDir: string, choice: FormChoice): Promise<Outcome> {
  const source = await openModelSource(checkpointDir)
  try {
    const { signal } = new AbortController()
    const { specialTokens } = await readTokenizerFile(checkpointDir)
    const tokenizer = createTokenizer(await readRanks(checkpointDir))
    const maxima = await measureAll(source, { threads: availableParallelism(), signal })
    const balance = new PartBalance(source.checkpoint, source.config, { maxima })
    const texts = checkSet({ tokenizer, specialTokens }, source)
    const { tokens, agreeing, divergence } = await compareWithFloat(source, texts, choice, {
      balance,
      onProgress() {},
      signal,
    })
    return {
      text: `${agreeing} of ${tokens} tokens, ${divergence.toPrecision(2)} nats`,
      isEnough: agreeing >= leastEqual * tokens,
    }
  } finally {
    await source.checkpoint.close()
  }
}

async function compareWithNano(
  folder: string,
  checkpoint: string,
  choice: FormChoice,
  questions: Questions,
): Promise<Outcome> {
  const right = await withModel(folder, checkpoint, choice, (model) => ask(model, questions))
  const { length } = questions.cases
  return {
    text: `${right.cases} of ${length} cases, ${right.scenes} of ${sceneCount} scenes`,
    isEnough: right.cases >= leastEqual * length && right.scenes >= leastEqual * sceneCount,
  }
}

async function prepareQuestions(folder: string): Promise<Questions> {
  const cases = await readGoldenCases()
  const asked = cases.find(({ id }) => id === 'describe-g01')!
  const config = await readPreprocessorConfig(nano)
  const drawn = await drawScenes(sceneCount, 1)
  const scenes = await Promise.all(drawn.map((bytes) => prepareImage(bytes, config)))
  const sceneAnswers = await withModel(folder, nano, { weights: 'f32' }, (model) =>
    describe(model, scenes, asked),
  )
  return { cases, scenes, sceneAnswers, asked }
}

async function withModel<Result>(
  folder: string,
  checkpointDir: string,
  choice: FormChoice,
  use: (model: Model) => Promise<Result>,
): Promise<Result> {
  const modelsDir = join(folder, 'models')
  const threads = availableParallelism()
  const model = await loadModel({ ...choice, checkpointDir, modelsDir, slots: 1, threads })
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

/**
 * Compares two rounded forms of nano with each other. Where two tokens are about as likely, rounding decides between them,
 * and forms that round differently part ways; this shows by how little they do.
 */
import { readPreprocessorConfig } from '../../backend/model/config/preprocessor-config.ts'
import type { Accelerator } from '../../backend/model/accelerator/accelerator.ts'
import { loadModel } from '../../backend/model/load-model.ts'
import type { Model } from '../../backend/model/model.ts'
import { prepareImage } from '../../backend/processor/image/prepare-image.ts'
import { drawScenes } from '../../scripts/outliers/scenes.ts'
import { follow, likeliest, type PicturedPrompt } from '../support/model/follow-answer.ts'
import { nano, readGoldenCases, stopIds } from './golden-cases.ts'

/** The same weights, rounded in two ways and not at all. */
interface Forms<Each = Model> {
  readonly first: Each
  readonly second: Each
  readonly exact: Each
}

/** Where two forms give different answers. */
interface Parting {
  readonly scene: number
  /** Index of the first token that differs. */
  readonly token: number
  /**
   * How much larger the logit of the first form's token is than that of the second's: in the first form 0 or more, in the
   * second 0 or less.
   */
  readonly leads: Forms<number>
}

/** All about the tokens before answers part. */
export interface Comparison {
  /** Pictures that were asked about. */
  readonly scenes: number
  readonly partings: readonly Parting[]
  /** How much larger the logit of the likeliest token is than the next one's, in float32. */
  readonly leads: readonly number[]
  /** How far off these are in the rounded forms. */
  readonly errors: Readonly<Record<'first' | 'second', readonly number[]>>
}

interface SceneOptions {
  readonly modelsDir: string
  readonly scenes: number
  readonly seed: number
  /** Whether there is time for another one; always unless given. */
  readonly goesOn?: () => boolean
}

/** The 8-bit form for the CPU against the one for a device, which is closed afterwards. */
export async function compareOnScenes(
  accelerator: Accelerator,
  { modelsDir, ...asked }: SceneOptions,
): Promise<Comparison> {
  const options = { checkpointDir: nano, modelsDir, slots: 1, threads: 1 } as const
  const device = { accelerator, cacheTokens: 1024 }
  const forms = {
    first: await loadModel({ ...options, weights: 'q8' }),
    second: await loadModel({ ...options, weights: 'q8', device }),
    exact: await loadModel({ ...options, weights: 'f32' }),
  }
  try {
    return await compareForms(forms, asked)
  } finally {
    for (const model of Object.values(forms)) await model.close()
  }
}

/** Where forms part otherwise than at near ties. */
export function widePartings(found: Comparison): Parting[] {
  const limit = widestNearTie(found)
  return found.partings.filter(({ leads: { exact } }) => Math.abs(exact) > limit)
}

/** The widest lead in float32 that rounding reverses now and then: it gets one lead in a hundred as wrong. */
export function widestNearTie({ errors }: Comparison): number {
  return Math.max(quantile(errors.first, 0.99), quantile(errors.second, 0.99))
}

/** Lets all forms describe pictures of the kind nano was made for, at temperature 0. */
async function compareForms(
  { first, second, exact }: Forms,
  { scenes, seed, goesOn = () => true }: Omit<SceneOptions, 'modelsDir'>,
): Promise<Comparison> {
  const partings: Parting[] = []
  const leads: number[] = []
  const errors = { first: [] as number[], second: [] as number[] }
  let compared = 0
  for (const [scene, prompt] of (await promptsAbout(scenes, seed)).entries()) {
    if (!goesOn()) break
    compared += 1
    const ids: number[] = []
    const answered = await answerOf(first, prompt, ids)
    const others = [
      await allOf(follow(second, prompt, ids)),
      await allOf(follow(exact, prompt, ids)),
    ]
    for (const [token, row] of answered.entries()) {
      const rows = { first: row, second: others[0]![token]!, exact: others[1]![token]! }
      const [chosen, other] = [likeliest(rows.first), likeliest(rows.second)]
      if (chosen !== other) {
        partings.push({ scene, token, leads: leadsOf(rows, chosen, other) })
        break
      }
      const lead = leadsOf(rows, ...likeliestTwo(rows.exact))
      leads.push(lead.exact)
      errors.first.push(Math.abs(lead.first - lead.exact))
      errors.second.push(Math.abs(lead.second - lead.exact))
    }
  }
  return { scenes: compared, partings, leads, errors }
}

async function promptsAbout(scenes: number, seed: number): Promise<PicturedPrompt[]> {
  const config = await readPreprocessorConfig(nano)
  const asked = (await readGoldenCases()).find(({ id }) => id === 'describe-g01')!
  const drawn = await drawScenes(scenes, seed)
  return Promise.all(
    drawn.map(async (bytes) => ({
      promptIds: asked.prompt_ids,
      images: [await prepareImage(bytes, config)],
    })),
  )
}

/** The logits before each token of the likeliest answer, the stop token included. @param ids receives the answer */
async function answerOf(
  model: Model,
  prompt: PicturedPrompt,
  ids: number[],
): Promise<Float32Array[]> {
  const rows: Float32Array[] = []
  for await (const row of follow(model, prompt, ids)) {
    rows.push(row)
    const id = likeliest(row)
    if (stopIds.includes(id) || ids.length === longest) break
    ids.push(id)
  }
  return rows
}

/** Tokens after which an answer that does not end is left. */
const longest = 128

async function allOf<Item>(items: AsyncIterable<Item>): Promise<Item[]> {
  const all: Item[] = []
  for await (const item of items) all.push(item)
  return all
}

function leadsOf(rows: Forms<Float32Array>, a: number, b: number): Forms<number> {
  const lead = (row: Float32Array) => row[a]! - row[b]!
  return { first: lead(rows.first), second: lead(rows.second), exact: lead(rows.exact) }
}

function likeliestTwo(row: Float32Array): [number, number] {
  const best = likeliest(row)
  const others = row.slice()
  others[best] = -Infinity
  return [best, likeliest(others)]
}

/** The number that a share of the numbers does not exceed: 0.5 for the median. */
export function quantile(numbers: readonly number[], share: number): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!
}

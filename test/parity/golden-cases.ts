import { readFile } from 'node:fs/promises'
import { readPreprocessorConfig } from '../../backend/model/config/preprocessor-config.ts'
import type { FeatureSpan, Model, PatchImage } from '../../backend/model/model.ts'
import { prepareImage } from '../../backend/processor/image/prepare-image.ts'
import { allLogits } from '../support/model/all-logits.ts'
import { featuresOf } from '../support/model/look-at.ts'

/** The checkpoint that all golden numbers belong to. */
export const nano = 'models/kimi-vl-nano'

interface GoldenTensor {
  readonly shape: readonly [number, number]
  readonly mean: number
  readonly std: number
  readonly abs_max: number
  readonly first: readonly (readonly number[])[]
  readonly last: readonly number[]
}

/** See test/golden/README.md, model.json. */
export interface GoldenCase {
  readonly id: string
  readonly images: readonly string[]
  readonly grids: readonly (readonly [number, number])[]
  readonly prompt_ids: readonly number[]
  readonly vision: readonly GoldenTensor[]
  readonly projector: readonly GoldenTensor[]
  readonly first_logits_top5: readonly (readonly [number, number])[]
  readonly greedy_ids: readonly number[]
  readonly greedy_text: string
  readonly finish_reason: 'stop' | 'length'
  readonly logprobs: readonly number[]
}

export async function readGoldenCases(): Promise<GoldenCase[]> {
  return JSON.parse(await readFile('test/golden/model.json', 'utf8')) as GoldenCase[]
}

export async function readGoldenImages(golden: GoldenCase): Promise<PatchImage[]> {
  const config = await readPreprocessorConfig(nano)
  return Promise.all(
    golden.images.map(async (name) =>
      prepareImage(await readFile(`test/golden/images/${name}`), config),
    ),
  )
}

/** Assigns each image's features to the first of its run of placeholders. */
export async function featureSpans(model: Model, golden: GoldenCase): Promise<FeatureSpan[]> {
  const spans: FeatureSpan[] = []
  let from = 0
  for (const image of await readGoldenImages(golden)) {
    const features = await featuresOf(model, image)
    const at = golden.prompt_ids.indexOf(model.info.imageTokenId, from)
    spans.push({ at, features })
    from = at + features.length / model.info.hiddenSize
  }
  return spans
}

/** The spans within tokens [start, end) of the prompt, counted from `start`. */
export function spansWithin(
  spans: readonly FeatureSpan[],
  hiddenSize: number,
  start: number,
  end: number,
): FeatureSpan[] {
  return spans.flatMap(({ at, features }) => {
    const from = Math.max(at, start)
    const to = Math.min(at + features.length / hiddenSize, end)
    if (from >= to) return []
    const rows = features.subarray((from - at) * hiddenSize, (to - at) * hiddenSize)
    return [{ at: from - start, features: rows }]
  })
}

/** Stop tokens of the nano checkpoint: [EOS] and <|im_end|> (models/kimi-vl-nano/tokenizer_config.json). */
export const stopIds: readonly number[] = [1025, 1026]

export function argmax(logits: Float32Array): number {
  let best = 0
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id
  return best
}

export function logProbability(logits: Float32Array, id: number): number {
  const highest = logits[argmax(logits)]!
  let sum = 0
  for (const logit of logits) sum += Math.exp(logit - highest)
  return logits[id]! - highest - Math.log(sum)
}

/** The most tokens of a golden answer; `length-limit` was cut at 20 (test/golden/README.md). */
const tokenLimit = (golden: GoldenCase) => (golden.finish_reason === 'length' ? 20 : 256)

/** An answer, and the logits by which each of its tokens, and the stop, was chosen. */
export interface GreedyAnswer {
  readonly ids: number[]
  readonly logits: Float32Array[]
}

export async function greedy(model: Model, golden: GoldenCase): Promise<GreedyAnswer> {
  return answer(model, golden.prompt_ids, await featureSpans(model, golden), tokenLimit(golden))
}

/** The most likely answer, token by token. */
export async function answer(
  model: Model,
  promptIds: readonly number[],
  images: readonly FeatureSpan[],
  maxTokens: number,
): Promise<GreedyAnswer> {
  const slot = model.openSlot()
  const ids: number[] = []
  const logits: Float32Array[] = []
  let tokenIds = Int32Array.from(promptIds)
  let features = images
  for (;;) {
    const [row] = await allLogits(model.step([{ slot, tokenIds, features, sample: true }]))
    logits.push(row!)
    const id = argmax(row!)
    if (stopIds.includes(id)) break
    ids.push(id)
    if (ids.length === maxTokens) break
    tokenIds = Int32Array.of(id)
    features = []
  }
  model.closeSlot(slot)
  return { ids, logits }
}

import type { FeatureSpan, ImageFeatures, ModelInfo } from '../../model/model.ts'
import type { GenerateJob } from '../job.ts'

/** The placeholder tokens of one image in the prompt. */
export interface ImageSpan {
  readonly start: number
  readonly tokens: number
}

/**
 * Finds each image's placeholders: the next unclaimed consecutive ones in the prompt.
 * @throws {RangeError} when placeholders and images do not match
 */
export function findImageSpans(
  { promptIds, images }: Pick<GenerateJob, 'promptIds' | 'images'>,
  { imageTokenId, mergeSize }: Pick<ModelInfo, 'imageTokenId' | 'mergeSize'>,
): readonly ImageSpan[] {
  let end = 0
  const spans = images.map(({ gridHw: [rows, columns] }, index) => {
    const tokens = (rows * columns) / mergeSize ** 2
    const start = promptIds.indexOf(imageTokenId, end)
    const placeholders = promptIds.subarray(start, start + tokens)
    if (
      start < 0 ||
      placeholders.length < tokens ||
      placeholders.some((id) => id !== imageTokenId)
    ) {
      throw new RangeError(`Image ${index + 1} needs ${tokens} placeholders in a row`)
    }
    end = start + tokens
    return { start, tokens }
  })
  if (promptIds.indexOf(imageTokenId, end) >= 0) {
    throw new RangeError('The prompt has more placeholders than its images need')
  }
  return spans
}

/**
 * The features that replace placeholders within `count` prompt tokens from `start`.
 * @param features one per span in that range: [span.tokens, hiddenSize]; views of these are returned
 */
export function featuresWithin(
  spans: readonly ImageSpan[],
  features: readonly (ImageFeatures | undefined)[],
  start: number,
  count: number,
): readonly FeatureSpan[] {
  return spans.flatMap((span, index) => {
    const from = Math.max(start, span.start)
    const to = Math.min(start + count, span.start + span.tokens)
    if (from >= to) return []
    const all = features[index]!
    const hiddenSize = all.length / span.tokens
    const rows = all.subarray((from - span.start) * hiddenSize, (to - span.start) * hiddenSize)
    return [{ at: from - start, features: rows }]
  })
}

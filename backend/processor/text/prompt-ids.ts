import { concatenateIds } from './concatenate-ids.ts'
import type { ControlToken, Segment } from './chat-template.ts'

/**
 * Joins encoded segments into the ids the model reads.
 * @param texts ids of each text segment, in order
 * @param imageTokens number of placeholders of each image, in order
 * @throws {RangeError} when the number of texts or images does not match the segments
 */
export function joinPromptIds(
  segments: readonly Segment[],
  controlIds: Readonly<Record<ControlToken, number>>,
  texts: readonly Int32Array[],
  imageTokens: readonly number[],
): Int32Array {
  const remainingTexts = [...texts]
  const remainingImages = [...imageTokens]
  const pieces = segments.map((segment): ArrayLike<number> => {
    if ('text' in segment) return next(remainingTexts, 'texts')
    const id = controlIds[segment.control]
    if (segment.control !== '<|media_pad|>') return [id]
    return new Int32Array(next(remainingImages, 'images')).fill(id)
  })
  if (remainingTexts.length > 0 || remainingImages.length > 0) {
    throw new RangeError('There are more texts or images than segments')
  }
  return concatenateIds(pieces)
}

function next<Item>(items: Item[], what: string): Item {
  const item = items.shift()
  if (item === undefined) throw new RangeError(`There are fewer ${what} than segments`)
  return item
}

import type { FeatureSpan, Model, NextLogits, PatchImage } from '../../../backend/model/model.ts'
import type { PicturedText } from '../../../backend/model/streamed/stream-logits.ts'

/** A prompt, with the pictures that its placeholders stand for, in order. */
export type PicturedPrompt = Pick<PicturedText, 'promptIds' | 'images'>

/**
 * Logits [vocabSize] before each token of an answer, as it was given, whatever the model would have said. Ids that are added
 * meanwhile are followed, too.
 */
export async function* follow(
  model: Model,
  { promptIds, images }: PicturedPrompt,
  ids: readonly number[],
): AsyncGenerator<Float32Array, void> {
  const slot = model.openSlot()
  try {
    const features = await spansOf(model, promptIds, images)
    const tokenIds = Int32Array.from(promptIds)
    yield logitsAfter(await model.step([{ slot, tokenIds, features, sample: true }]))
    for (let i = 0; i < ids.length; i++) {
      const next = Int32Array.of(ids[i]!)
      yield logitsAfter(await model.step([{ slot, tokenIds: next, features: [], sample: true }]))
    }
  } finally {
    model.closeSlot(slot)
  }
}

/** Of the one row of a step. */
function logitsAfter(step: readonly NextLogits[]): Promise<Float32Array> {
  return step[0]!.row()
}

/** Each image's features, at the first of its run of placeholders. */
async function spansOf(
  model: Model,
  promptIds: readonly number[],
  images: readonly PatchImage[],
): Promise<FeatureSpan[]> {
  const spans: FeatureSpan[] = []
  let from = 0
  for (const image of images) {
    const run = model.beginImage(image)
    await run.advance(Infinity)
    const at = promptIds.indexOf(model.info.imageTokenId, from)
    spans.push({ at, features: run.features! })
    from = at + run.features!.length / model.info.hiddenSize
  }
  return spans
}

/** The token with the highest logit; the first of several. */
export function likeliest(logits: Float32Array): number {
  let best = 0
  for (let id = 1; id < logits.length; id++) if (logits[id]! > logits[best]!) best = id
  return best
}

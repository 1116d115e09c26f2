import type { FeatureSpan, Model, PatchImage } from '../../backend/model/model.ts'
import type { PicturedText } from '../../backend/model/streamed/stream-logits.ts'

/**
 * Logits [vocabSize] before each token of an answer, as it was given, whatever the model would have said: the way in which the
 * product answers, token by token.
 */
export async function* follow(
  model: Model,
  { promptIds, answerIds, images }: PicturedText,
): AsyncGenerator<Float32Array, void> {
  const slot = model.openSlot()
  try {
    const features = await spansOf(model, promptIds, images)
    const tokenIds = Int32Array.from(promptIds)
    yield (await model.step([{ slot, tokenIds, features, sample: true }]))[0]!
    for (const id of answerIds.slice(0, -1)) {
      const next = Int32Array.of(id)
      yield (await model.step([{ slot, tokenIds: next, features: [], sample: true }]))[0]!
    }
  } finally {
    model.closeSlot(slot)
  }
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

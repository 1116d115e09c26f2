import { availableParallelism } from 'node:os'
import { fileNames } from '../convert/graphs/build-graphs.ts'
import type { ModelSource } from '../convert/source/model-source.ts'
import type { PartBalance } from '../convert/graphs/part-balance.ts'
import type { ComponentForms } from '../convert/graphs/weight-forms.ts'
import type { FeatureSpan, PatchImage } from '../model.ts'
import { embedTexts, layOut, type GivenText } from './given-text.ts'
import { StreamedDecoder, type LogitPiece } from './streamed-decoder.ts'
import { streamVision } from './stream-vision.ts'

/** A text, with the images that its placeholders stand for, in order. */
export interface PicturedText extends GivenText {
  readonly images: readonly PatchImage[]
}

export interface StreamOptions {
  /** Of the source. Afterwards it knows how the parts of the model are balanced. */
  readonly balance: PartBalance
  readonly onProgress: (line: string) => void
  readonly signal: AbortSignal
}

/**
 * Logits of a model in several forms, before each token of prescribed answers. The model is not loaded: weights are
 * read from the checkpoint one piece at a time and dropped, so that memory holds one piece and the state of all texts.
 * @param forms as a conversion would make them
 * @returns pieces with all rows that precede a token of an answer, in the order of texts and tokens
 */
export async function* streamLogits(
  source: ModelSource,
  texts: readonly PicturedText[],
  forms: readonly ComponentForms[],
  options: StreamOptions,
): AsyncGenerator<LogitPiece, void> {
  const { config, checkpoint } = source
  const { text_config: text } = config
  const { balance } = options
  const running = { ...options, threads: availableParallelism() }
  const images = texts.flatMap((each) => each.images)
  const visionForms = [...new Map(forms.map(({ vision }) => [JSON.stringify(vision), vision]))]
  const features = await streamVision(
    source,
    balance,
    visionForms.map(([, form]) => form),
    images,
    running,
  )
  const layout = layOut(texts)
  const embedded: Float32Array[] = []
  for (const { vision } of forms) {
    const own = features[visionForms.findIndex(([key]) => key === JSON.stringify(vision))]!
    const spans = spansOfTexts(texts, own, config.media_placeholder_token_id, text.hidden_size)
    embedded.push(await embedTexts(layout, text, checkpoint, (index) => spans[index]!))
  }
  const decoderSource = { config: text, checkpoint: balance.checkpoint }
  const decoder = new StreamedDecoder(decoderSource, forms, layout, embedded, running)
  await decoder.run(balance)
  balance.set(await balance.find(fileNames.weights.decoder, options.signal))
  yield* decoder.logits()
}

/** Where each text's features go: at the first of each image's run of placeholders. */
export function spansOfTexts(
  texts: readonly PicturedText[],
  features: readonly Float32Array[],
  placeholder: number,
  hiddenSize: number,
): FeatureSpan[][] {
  let next = 0
  return texts.map(({ promptIds, images }) => {
    let from = 0
    return images.map(() => {
      const own = features[next++]!
      const at = promptIds.indexOf(placeholder, from)
      from = at + own.length / hiddenSize
      return { at, features: own }
    })
  })
}

import { fileNames } from '../convert/graphs/build-graphs.ts'
import { componentForms } from '../convert/graphs/weight-forms.ts'
import type { MeasuredPart, MeasureChannels } from '../convert/measure-parts.ts'
import type { ModelSource } from '../convert/source/model-source.ts'
import { partOf } from '../convert/tasks/conversion-task.ts'
import type { ChannelMaxima } from '../equalize/channel-maxima.ts'
import { calibrationTexts, type EncodedText } from '../calibration/calibration-texts.ts'
import { embedTexts, layOut, type TextLayout } from './given-text.ts'
import { StreamedDecoder } from './streamed-decoder.ts'
import { spansOfTexts } from './stream-logits.ts'
import { streamVision } from './stream-vision.ts'

const exact = componentForms({ weights: 'f32' })

/** Nothing is rounded, so nothing has to be balanced. */
const unbalanced = { shifts: {}, find: () => Promise.resolve({}), set() {} }

/**
 * Runs the calibration set through a model in float32 and keeps the largest magnitude of each channel. Weights are read
 * from the checkpoint one piece at a time and dropped, as in `streamLogits`.
 */
export const measureChannels: MeasureChannels = async function* (source, tokens, options) {
  const { text_config: config } = source.config
  const texts = calibrationTexts(tokens, source.preprocessor)
  const layout = layOut(texts)
  const maxima = new MaximaByPart()
  const running = { ...options, onProgress() {}, onMaxima: maxima.see }
  const embedded = options.after?.rows ?? (await embed(source, texts, layout, running))
  yield* maxima.take()
  const decoderSource = { config, checkpoint: source.checkpoint }
  const decoder = new StreamedDecoder(decoderSource, [exact], layout, [embedded], running)
  const first = options.after === undefined ? 0 : Number(/\d+$/.exec(options.after.part)![0]) + 1
  for (let layer = first; layer < config.num_hidden_layers; layer++) {
    await decoder.runLayer(layer)
    for (const measured of maxima.take()) yield { ...measured, rows: decoder.rows }
  }
  await decoder.runLastNorm()
  yield* maxima.take()
}

/** The rows before the first layer, with the features of the pictures, for which the vision tower runs. */
async function embed(
  { preprocessor, config, checkpoint }: ModelSource,
  texts: readonly EncodedText[],
  layout: TextLayout,
  options: Parameters<typeof streamVision>[4],
): Promise<Float32Array> {
  const { text_config: text, media_placeholder_token_id: placeholder } = config
  const images = texts.flatMap((each) => each.images)
  const balance = { ...unbalanced, checkpoint }
  const tower = { config, preprocessor }
  const [features] = await streamVision(tower, balance, [exact.vision], images, options)
  const spans = spansOfTexts(texts, features!, placeholder, text.hidden_size)
  return embedTexts(layout, text, checkpoint, (index) => spans[index]!)
}

/** The maxima of all parts, as a conversion would measure them; empty if it would not. */
export async function measureAll(
  source: ModelSource,
  options: Parameters<MeasureChannels>[2],
): Promise<ChannelMaxima> {
  const all = new Map<string, Float32Array>()
  if (source.readTokens === undefined) return all
  for await (const { maxima } of measureChannels(source, await source.readTokens(), options)) {
    for (const [link, values] of maxima) all.set(link, values)
  }
  return all
}

class MaximaByPart {
  #parts = new Map<string, Map<string, Float32Array>>()

  readonly see = (name: string, found: Float32Array): void => {
    const part = partOf(name, fileNames.weights.decoder)
    const known = this.#parts.get(part) ?? new Map<string, Float32Array>()
    this.#parts.set(part, known)
    const before = known.get(name)
    known.set(name, before === undefined ? found : larger(before, found))
  }

  /** Everything seen since the last call. */
  take(): MeasuredPart[] {
    const parts = [...this.#parts].map(([part, maxima]) => ({ part, maxima }))
    this.#parts = new Map()
    return parts
  }
}

function larger(a: Float32Array, b: Float32Array): Float32Array {
  return a.map((value, channel) => Math.max(value, b[channel]!))
}

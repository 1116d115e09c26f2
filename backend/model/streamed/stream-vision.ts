import type { PartBalance } from '../convert/graphs/part-balance.ts'
import type { ModelSource } from '../convert/source/model-source.ts'
import type { WeightForm } from '../../graph/layers.ts'
import type { PatchImage } from '../model.ts'
import { visionPieces } from '../moonvit/vision-pieces.ts'
import { withSession, type SessionOptions } from './with-session.ts'

interface VisionOptions extends SessionOptions {
  readonly onProgress: (line: string) => void
}

/**
 * Runs images through a vision tower in several forms at once, with the weights of one block in memory at a time.
 * @returns for each form and image, features [tokens, hidden size of the text model]
 */
export async function streamVision(
  { config, preprocessor }: Pick<ModelSource, 'config' | 'preprocessor'>,
  balance: Pick<PartBalance, 'checkpoint' | 'shifts' | 'find' | 'set'>,
  forms: readonly WeightForm[],
  images: readonly PatchImage[],
  options: VisionOptions,
): Promise<(readonly Float32Array[])[]> {
  const { vision_config: vision, text_config: text } = config
  const { checkpoint } = balance
  const towers = forms.map((form) =>
    visionPieces(
      { config: vision, checkpoint, form, equalization: balance.shifts },
      images,
      preprocessor,
      text.hidden_size,
    ),
  )
  if (images.length === 0) return towers.map(() => [])
  try {
    const count = towers[0]!.pieces.length
    for (let index = 0; index < count; index++) {
      options.onProgress(`vision: part ${index + 1} of ${count}`)
      // After the embedding, each stage but the last is the first to read weights of a block.
      if (index >= 1 && index <= vision.num_hidden_layers) {
        balance.set(await balance.find(`blocks.${index - 1}`, options.signal))
      }
      for (const { pieces } of towers) {
        const { build, run } = pieces[index]!
        await withSession(build(), options, run)
      }
    }
    return towers.map(({ features }) => features)
  } finally {
    for (const tower of towers) tower.release()
  }
}

import type { ModelConfig } from '../../../backend/model/config/model-config.ts'
import type { Model } from '../../../backend/model/model.ts'
import { benchFirstToken } from '../engine.ts'
import type { BenchRow } from '../measure.ts'
import { benchVision } from '../vision.ts'
import { withVision } from './open-card.ts'
import type { CardBench } from './open-card-bench.ts'

/** Patches of a picture of 640 x 480 pixels: [rows, columns]. */
const vgaPatches = [36, 46] as const

/** Patches of a picture of 140 x 112 pixels. */
const smallPatches = [8, 10] as const

/** Sides of square pictures, in patches. */
const sides = { hardware: [16, 32, 64], software: [16] }

/** @param vision a model that sees */
export async function* visionRows(
  { machine, isSoftware }: CardBench,
  vision: Model,
  { vision_config: config }: ModelConfig,
): AsyncGenerator<BenchRow> {
  for (const side of sides[isSoftware ? 'software' : 'hardware']) {
    yield await benchVision(vision, config, machine, side, 2)
  }
}

/** The first token about a picture of 640 x 480 pixels, or a smaller one, with a short question. */
export async function firstTokenRow(
  { model, isSoftware }: CardBench,
  vision: Model,
): Promise<BenchRow> {
  const patches = isSoftware ? smallPatches : vgaPatches
  const [height, width] = isSoftware ? [112, 140] : [480, 640]
  const row = await benchFirstToken(withVision(model, vision), patches)
  return { ...row, name: `first token about a picture of ${width} x ${height} pixels` }
}

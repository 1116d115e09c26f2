import type { VisionConfig } from '../config/model-config.ts'
import type { PatchImage } from '../model.ts'

/**
 * Work per patch, relative to what a block does for it apart from attention. Other parts are rated by their
 * operations, attention by measurement at true size on two cores: 30 ns per key, and 49 us for the rest of a block.
 */
export const visionWork = {
  embedding: 0.2,
  project: 0.25,
  feedForward: 0.75,
  perKey: 1 / 1_600,
  projector: 0.5,
}

/**
 * Work per patch of a stage: the first only projects, the last only attends and feeds forward (see `buildBlocksGraph`).
 */
export function stageWork(
  { gridHw: [rows, columns] }: Pick<PatchImage, 'gridHw'>,
  { num_hidden_layers: blocks }: VisionConfig,
  stage: number,
): number {
  const attending = visionWork.feedForward + rows * columns * visionWork.perKey
  return (stage > 0 ? attending : 0) + (stage < blocks ? visionWork.project : 0)
}

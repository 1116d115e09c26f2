import type { VisionConfig } from '../config/model-config.ts'
import type { PatchImage } from '../model.ts'
import { mergedPatches } from './pass-inputs.ts'
import { stageWork, visionWork } from './vision-work.ts'

/** One pass of all patches of an image through a part of the vision tower, a piece at a time. */
export interface Pass {
  /** The number of patches in a piece is a multiple of this. */
  readonly unit: number
  /** The most patches of a piece; all unless given. */
  readonly mostPatches?: number
  /** Work for one patch. */
  readonly workPerPatch: number
  /** Runs patches [from, to), which follow those already run, through this part. */
  readonly run: RunPatches
}

type RunPatches = (from: number, to: number) => Promise<void>

/** How the parts of a tower are run, in their order. */
interface PartRuns {
  readonly embed: RunPatches
  /** @param stage of the blocks, of which there is one more than there are blocks: see `buildBlocksGraph` */
  readonly stage: (stage: number) => RunPatches
  /** The last one, which fills the image's features. */
  readonly project: RunPatches
  /** The most patches that a stage takes at a time; all unless given. */
  readonly mostStagePatches?: number
}

/** The passes of an image through the tower. */
export function passesOf(
  image: Pick<PatchImage, 'gridHw'>,
  config: VisionConfig,
  { embed, stage, project, mostStagePatches = Infinity }: PartRuns,
): Pass[] {
  const unit = mergedPatches(config)
  const stages = Array.from({ length: config.num_hidden_layers + 1 }, (_, index) => ({
    unit,
    mostPatches: mostStagePatches,
    workPerPatch: stageWork(image, config, index),
    run: stage(index),
  }))
  return [
    // Positions are interpolated by rows of the grid.
    { unit: image.gridHw[1], workPerPatch: visionWork.embedding, run: embed },
    ...stages,
    { unit, workPerPatch: visionWork.projector, run: project },
  ]
}

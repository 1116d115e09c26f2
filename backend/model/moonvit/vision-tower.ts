import { SlicedRun, type SlicedRunOptions } from './image-run.ts'
import type { VisionConfig } from '../config/model-config.ts'
import type { ImageRun, PatchImage } from '../model.ts'
import type { VisionParts } from './network/vision-graphs.ts'
import { createPatchNormalizer } from './normalize-patches.ts'
import { PatchState } from './patch-state.ts'
import type { PreprocessorConfig } from '../config/preprocessor-config.ts'
import { createSession } from '../sessions.ts'
import { mergedPatches, patchValues } from './pass-inputs.ts'
import { visionPasses } from './vision-passes.ts'

/** What is needed to open the vision tower anywhere. */
export interface TowerSetup {
  readonly config: VisionConfig
  readonly preprocessor: Pick<PreprocessorConfig, 'patchSize' | 'mean' | 'std'>
  /** Width of image features. */
  readonly featureWidth: number
}

interface VisionSetup extends TowerSetup {
  readonly graphFiles: VisionParts<string>
  readonly threads: number
}

export interface VisionTower {
  /** See `Model.beginImage`. */
  readonly begin: (image: PatchImage) => ImageRun
  /** Nothing may be running. */
  readonly close: () => Promise<void>
}

/** @throws {Error} when a graph cannot be opened */
export async function openVisionTower(setup: VisionSetup): Promise<VisionTower> {
  const { graphFiles, threads, config, featureWidth } = setup
  const open = (file: string) => createSession(file, { threads })
  const [embedding, blocks, projector] = await Promise.all([
    open(graphFiles.embedding),
    open(graphFiles.blocks),
    open(graphFiles.projector),
  ])
  const sessions = { embedding, blocks, projector }
  const normalize = createPatchNormalizer(setup.preprocessor)
  const tower = { sessions, config, normalize, featureWidth }
  return {
    begin: (image) =>
      beginRun(config, image, (patches, tokens) => {
        const state = new PatchState(patches, config)
        const features = new Float32Array(tokens * featureWidth)
        return {
          features,
          passes: visionPasses(tower, image, state, features),
          release: () => state.release(),
        }
      }),
    async close() {
      await Promise.all(Object.values(sessions).map((session) => session.release()))
    },
  }
}

/**
 * @param open prepares the work, given the number of patches and of image tokens
 * @throws {RangeError} when patches and grid do not match
 */
export function beginRun(
  config: VisionConfig,
  image: PatchImage,
  open: (patches: number, tokens: number) => Omit<SlicedRunOptions, 'patches'>,
): ImageRun {
  const [rows, columns] = image.gridHw
  const patches = rows * columns
  if (image.patches.length !== patches * patchValues(config)) {
    throw new RangeError(`${image.patches.length} patch bytes for a grid of ${rows} x ${columns}`)
  }
  return new SlicedRun({ patches, ...open(patches, patches / mergedPatches(config)) })
}

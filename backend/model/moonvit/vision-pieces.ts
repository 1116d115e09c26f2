import type { BuiltGraph } from '../../graph/graph-builder.ts'
import type { PreprocessorConfig } from '../config/preprocessor-config.ts'
import type { PatchImage } from '../model.ts'
import type { OpenGraph } from '../sessions.ts'
import { buildStageGraph } from './network/blocks-graph.ts'
import { buildEmbeddingGraph } from './network/embedding-graph.ts'
import type { Encoder } from './network/encoder-block.ts'
import { createPatchNormalizer } from './normalize-patches.ts'
import { PatchState } from './patch-state.ts'
import { buildProjectorGraph } from './network/projector-graph.ts'
import { mergedPatches } from './pass-inputs.ts'
import { visionPasses } from './vision-passes.ts'

/** A part of the tower that all images pass before the next is opened. */
interface VisionPiece {
  readonly build: () => BuiltGraph
  readonly run: (session: OpenGraph) => Promise<void>
}

/** Images on their way through the pieces of a tower. */
interface VisionPieces {
  /** The embedding, the stages of the blocks, the projector: as many as there are blocks, and three. */
  readonly pieces: readonly VisionPiece[]
  /** Of each image, [tokens, width]; filled by the last piece. */
  readonly features: readonly Float32Array[]
  readonly release: () => void
}

/** The tower cut into pieces, each of which needs only its own weights. */
export function visionPieces(
  encoder: Encoder,
  images: readonly PatchImage[],
  preprocessor: Pick<PreprocessorConfig, 'patchSize' | 'mean' | 'std'>,
  featureWidth: number,
): VisionPieces {
  const { config, checkpoint } = encoder
  const blocks = config.num_hidden_layers
  const normalize = createPatchNormalizer(preprocessor)
  const runs = images.map((image) => {
    const patches = image.gridHw[0] * image.gridHw[1]
    const features = new Float32Array((patches / mergedPatches(config)) * featureWidth)
    return { image, patches, features, state: new PatchState(patches, config) }
  })
  const graphs = [
    () => buildEmbeddingGraph(config, checkpoint),
    ...Array.from({ length: blocks + 1 }, (_, stage) => () => buildStageGraph(encoder, stage)),
    () => buildProjectorGraph(config, checkpoint),
  ]
  return {
    pieces: graphs.map((build, index) => ({
      build,
      async run(session) {
        const sessions = { embedding: session, blocks: session, projector: session }
        const tower = { sessions, config, normalize, featureWidth }
        for (const { image, patches, features, state } of runs) {
          await visionPasses(tower, image, state, features)[index]!.run(0, patches)
        }
      },
    })),
    features: runs.map(({ features }) => features),
    release: () => runs.forEach(({ state }) => state.release()),
  }
}

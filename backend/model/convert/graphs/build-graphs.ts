import type { Checkpoint } from '../../../checkpoint/checkpoint.ts'
import type { BuiltGraph } from '../../../graph/graph-builder.ts'
import type { ModelConfig } from '../../config/model-config.ts'
import { buildDecoderGraph } from '../../deepseek/decoder-graph.ts'
import type { Equalization } from '../../equalize/find-outliers.ts'
import type { CacheType } from '../../deepseek/device/network/paged-attention.ts'
import { buildVisionGraphs, type VisionParts } from '../../moonvit/network/vision-graphs.ts'
import { allExpertsGraph } from './device-graphs.ts'
import { componentForms, type FormChoice } from './weight-forms.ts'

export interface GraphOptions extends FormChoice {
  /** The most sequences in one run. */
  readonly slots: number
  /** Of the device's cache; `defaultCacheType` unless given. */
  readonly cacheType?: CacheType
}

/** Half the memory of float32, and as far as the nano model shows, nothing is lost. */
export const defaultCacheType: CacheType = 'float16'

export type Graphs = VisionParts<BuiltGraph> & { readonly decoder: BuiltGraph }
export type GraphName = keyof Graphs

/** Files of a converted model, in the order of a request's way through it. */
export const fileNames = {
  embeddings: 'embeddings.weights',
  weights: {
    embedding: 'vision-embedding.weights',
    blocks: 'vision-blocks.weights',
    projector: 'vision-projector.weights',
    decoder: 'decoder.weights',
  } satisfies Record<GraphName, string>,
} as const

export const weightsFiles = [fileNames.embeddings, ...Object.values(fileNames.weights)]

/** The graphs with all their weights, but without the operators for balanced channels (see `balancedVision`). */
export function buildGraphs(
  config: ModelConfig,
  checkpoint: Checkpoint,
  options: GraphOptions,
): Graphs {
  const forms = componentForms(options)
  return {
    ...buildVisionGraphs(config.vision_config, checkpoint, forms.vision, {}),
    decoder:
      options.layout === 'device'
        ? allExpertsGraph(config.text_config, checkpoint, {
            cacheType: defaultCacheType,
            ...options,
          })
        : buildDecoderGraph(config.text_config, checkpoint, { forms, lanes: options.slots }),
  }
}

/** The vision tower's graphs for weights that were written with these channels balanced. */
export function balancedVision(
  { vision_config }: ModelConfig,
  checkpoint: Checkpoint,
  options: GraphOptions,
  equalization: Equalization,
): VisionParts<BuiltGraph> {
  return buildVisionGraphs(vision_config, checkpoint, componentForms(options).vision, equalization)
}

/** Weights file -> the graph whose weights it holds. */
export type GraphsByFile = Readonly<Record<string, BuiltGraph>>

export function byFileName(graphs: Graphs): GraphsByFile {
  const names = Object.entries(fileNames.weights) as [GraphName, string][]
  return Object.fromEntries(names.map(([graph, file]) => [file, graphs[graph]]))
}

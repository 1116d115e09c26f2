import {
  GraphBuilder,
  type BuiltGraph,
  type Value,
  type ValueType,
} from '../../../graph/graph-builder.ts'
import { layerNorm } from '../../../graph/layers.ts'
import { equal } from '../../../graph/operators/arithmetic.ts'
import { ifElse } from '../../../graph/operators/if-else.ts'
import { affine, visionNormEpsilon } from './affine.ts'
import {
  attendAndFeedForward,
  projectQkv,
  type Encoder,
  type PatchRope,
  type Projections,
} from './encoder-block.ts'
import { visionNames } from '../vision-names.ts'

/** The scope of the blocks' weights: they are declared where a stage runs. */
export const branchScope = 'then'

/** Outputs of one stage of the blocks graph; only the stage that runs computes its own. */
export function stageOutputs(stage: number) {
  return {
    hidden: `${visionNames.nextHidden}.${stage}`,
    queries: `${visionNames.nextQueries}.${stage}`,
    keys: `${visionNames.nextKeys}.${stage}`,
    values: `${visionNames.nextValues}.${stage}`,
  }
}

/**
 * The blocks, divided into stages. Each run executes one stage for any number of patches: only attention looks at
 * other patches, and their keys and values are an input. So a large image can be processed in small pieces.
 *
 *     stage 0:  project(block 0);   stage i:  attend(block i - 1), project(block i);   the last: attend, final_layernorm
 */
export function buildBlocksGraph(encoder: Encoder): BuiltGraph {
  const g = new GraphBuilder('vision_blocks')
  const { stage, ...inputs } = stageInputs(g, encoder)
  for (let index = 0; index <= encoder.config.num_hidden_layers; index++) {
    const chosen = equal(g, stage, g.int64s([index]))
    const types = stageTypes(encoder, index)
    const results = ifElse(g, chosen, types, {
      ifTrue: () => buildStage(g, encoder, index, inputs),
      ifFalse: () => nothing(g, encoder),
    })
    addOutputs(g, index, results, types)
  }
  return g.build()
}

/** A single stage as a graph of its own, with the same inputs and outputs. */
export function buildStageGraph(encoder: Encoder, stage: number): BuiltGraph {
  const g = new GraphBuilder('vision')
  const results = buildStage(g, encoder, stage, stageInputs(g, encoder))
  addOutputs(g, stage, results, stageTypes(encoder, stage))
  return g.build()
}

function addOutputs(
  g: GraphBuilder,
  stage: number,
  results: readonly Value[],
  types: readonly ValueType[],
): void {
  Object.values(stageOutputs(stage)).forEach((name, i) =>
    g.output(name, results[i]!, types[i]!.type, types[i]!.dims),
  )
}

function stageInputs(g: GraphBuilder, { config }: Encoder): StageInputs & { stage: Value } {
  const { hidden_size: hidden, num_attention_heads: heads } = config
  const headDim = hidden / heads
  const stage = g.input(visionNames.stage, 'int64', [1])
  const perPatch = (name: string, width: number) => g.input(name, 'float32', ['patches', width])
  const ofAll = (name: string) => g.input(name, 'float32', [heads, 'all_patches', headDim])
  return {
    stage,
    hidden: perPatch(visionNames.hidden, hidden),
    queries: perPatch(visionNames.queries, hidden),
    keys: ofAll(visionNames.keys),
    values: ofAll(visionNames.values),
    cos: perPatch(visionNames.cos, headDim / 2),
    sin: perPatch(visionNames.sin, headDim / 2),
  }
}

/** Types of hidden, queries, keys and values. */
function stageTypes({ config }: Encoder, stage: number): readonly ValueType[] {
  const { hidden_size: hidden, num_attention_heads: heads } = config
  const byPatch: ValueType = { type: 'float32', dims: [`patches.${stage}`, hidden] }
  const projected = `projected.${stage}`
  const byHead: ValueType = { type: 'float32', dims: [heads, projected, hidden / heads] }
  return [byPatch, { ...byPatch, dims: [projected, hidden] }, byHead, byHead]
}

interface StageInputs extends Projections, PatchRope {
  readonly hidden: Value
}

/** @returns next hidden, queries, keys, values */
function buildStage(
  g: GraphBuilder,
  encoder: Encoder,
  stage: number,
  inputs: StageInputs,
): readonly Value[] {
  const { config, checkpoint } = encoder
  const blocks = config.num_hidden_layers
  const hidden =
    stage === 0
      ? inputs.hidden
      : g.scope(`blocks.${stage - 1}`, () =>
          attendAndFeedForward(g, encoder, stage - 1, inputs.hidden, inputs),
        )
  if (stage === blocks) {
    const norm = affine(checkpoint, 'vision_tower.encoder.final_layernorm')
    const features = layerNorm(g, 'final_layernorm', hidden, norm, visionNormEpsilon)
    return [features, ...nothing(g, encoder).slice(1)]
  }
  const next = g.scope(`blocks.${stage}`, () => projectQkv(g, encoder, stage, hidden, inputs))
  return [hidden, next.queries, next.keys, next.values]
}

/** Hidden, queries, keys and values of zero patches. */
function nothing(g: GraphBuilder, { config }: Encoder): readonly Value[] {
  const { hidden_size: hidden, num_attention_heads: heads } = config
  const noPatch = g.float32s([], [0, hidden])
  const noHead = g.float32s([], [heads, 0, hidden / heads])
  return [noPatch, noPatch, noHead, noHead]
}

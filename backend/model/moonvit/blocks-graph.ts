import {
  GraphBuilder,
  type BuiltGraph,
  type Value,
  type ValueType,
} from '../../graph/graph-builder.ts'
import { layerNorm } from '../../graph/layers.ts'
import { choose } from '../../graph/operators.ts'
import { affine, visionNormEpsilon } from './affine.ts'
import {
  attendAndFeedForward,
  projectQkv,
  type Encoder,
  type PatchRope,
  type Projections,
} from './encoder-block.ts'
import { visionNames } from './vision-names.ts'

/**
 * The blocks in stages, of which a run is one, for as many patches as it is given: attention alone looks at other patches,
 * and their keys and values are an input. So a large image can be looked at in small pieces.
 *
 *     stage 0:  project(block 0);   stage i:  attend(block i - 1), project(block i);   the last: attend, final_layernorm
 */
export function buildBlocksGraph(encoder: Encoder): BuiltGraph {
  const { config } = encoder
  const { hidden_size: hidden, num_attention_heads: heads, num_hidden_layers: blocks } = config
  const headDim = hidden / heads
  const g = new GraphBuilder('vision_blocks')
  const stage = g.input(visionNames.stage, 'int64', [1])
  const perPatch = (name: string, width: number) => g.input(name, 'float32', ['patches', width])
  const ofAll = (name: string) => g.input(name, 'float32', [heads, 'all_patches', headDim])
  const inputs = {
    hidden: perPatch(visionNames.hidden, hidden),
    queries: perPatch(visionNames.queries, hidden),
    keys: ofAll(visionNames.keys),
    values: ofAll(visionNames.values),
    cos: perPatch(visionNames.cos, headDim / 2),
    sin: perPatch(visionNames.sin, headDim / 2),
  }
  const byPatch: ValueType = { type: 'float32', dims: ['patches', hidden] }
  const byHead: ValueType = { type: 'float32', dims: [heads, 'projected', headDim] }
  const outputs = [
    [visionNames.nextHidden, byPatch],
    [visionNames.nextQueries, { ...byPatch, dims: ['projected', hidden] }],
    [visionNames.nextKeys, byHead],
    [visionNames.nextValues, byHead],
  ] as const
  const types = outputs.map(([, type]) => type)
  const stages = Array.from(
    { length: blocks + 1 },
    (_, index) => () => buildStage(g, encoder, index, inputs),
  )
  const results = choose(g, stage, types, stages)
  outputs.forEach(([name, { type, dims }], i) => g.output(name, results[i]!, type, dims))
  return g.build()
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
    return [
      layerNorm(g, 'final_layernorm', hidden, norm, visionNormEpsilon),
      ...nothing(g, encoder),
    ]
  }
  const next = g.scope(`blocks.${stage}`, () => projectQkv(g, encoder, stage, hidden, inputs))
  return [hidden, next.queries, next.keys, next.values]
}

/** In the place of projections. */
function nothing(g: GraphBuilder, { config }: Encoder): readonly Value[] {
  const { hidden_size: hidden, num_attention_heads: heads } = config
  const none = g.float32s([], [heads, 0, hidden / heads])
  return [g.float32s([], [0, hidden]), none, none]
}

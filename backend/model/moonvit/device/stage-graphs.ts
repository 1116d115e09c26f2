import { GraphBuilder, type BuiltGraph, type Value } from '../../../graph/graph-builder.ts'
import { layerNorm } from '../../../graph/layers.ts'
import { gather } from '../../../graph/operators/selection.ts'
import { affine, visionNormEpsilon } from '../network/affine.ts'
import { feedForward, projectRows, type Encoder } from '../network/encoder-block.ts'
import { attendToAll } from './attend-to-all.ts'
import { deviceVisionNames as names } from './device-vision-names.ts'
import { outputDone, patchRows, type PatchRows } from './patch-rows.ts'

/** The beginning of the first block; the end of a block and the beginning of the next; the end of the last. */
export type StageKind = 'first' | 'middle' | 'last'

/**
 * The blocks that name the weights of stages. All blocks have the same shapes, and the weights of others can be fed in their
 * place: a tower with a single block has no second one.
 */
export const namedBlocks = { ended: 0, begun: 1 } as const

/** A part of the tower that ends with attention or begins after it: see `buildBlocksGraph`, `deviceVisionNames`. */
export function buildStageGraph(encoder: Encoder, kind: StageKind): BuiltGraph {
  const g = new GraphBuilder(`vision_${kind}_stage`)
  const patches = g.input(names.rows, 'int64', ['patches'])
  const all = patchRows(g, encoder.config.hidden_size)
  const hidden = all.input(names.hidden)
  const queries = all.input(names.queries)
  const own = gather(g, hidden, patches, 0)
  const ended =
    kind === 'first' ? own : endBlock(g, encoder, all, own, gather(g, queries, patches, 0))
  if (kind !== 'last') beginBlock(g, encoder, all, ended, queries)
  const x = kind === 'last' ? finalNorm(g, encoder, ended) : ended
  outputDone(g, all.update(names.nextHidden, hidden, x))
  return g.build()
}

function endBlock(
  g: GraphBuilder,
  encoder: Encoder,
  all: PatchRows,
  hidden: Value,
  q: Value,
): Value {
  const attended = { q, keys: all.input(names.keys), values: all.input(names.values) }
  return g.scope(`blocks.${namedBlocks.ended}`, () => {
    const mixed = attendToAll(g, encoder.config, attended)
    return feedForward(g, encoder, namedBlocks.ended, hidden, mixed)
  })
}

function beginBlock(
  g: GraphBuilder,
  encoder: Encoder,
  all: PatchRows,
  hidden: Value,
  queries: Value,
): void {
  const { hidden_size: width, num_attention_heads: heads } = encoder.config
  const table = (name: string) => g.input(name, 'float32', ['patches', width / heads / 2])
  const rope = { cos: table(names.cos), sin: table(names.sin) }
  const block = Math.min(namedBlocks.begun, encoder.config.num_hidden_layers - 1)
  const next = g.scope(`blocks.${namedBlocks.begun}`, () =>
    projectRows(g, encoder, block, hidden, rope),
  )
  all.update(names.nextQueries, queries, next.queries)
  all.update(names.nextKeys, all.input(names.projectedKeys), next.keys)
  all.update(names.nextValues, all.input(names.projectedValues), next.values)
}

function finalNorm(g: GraphBuilder, { checkpoint }: Encoder, hidden: Value): Value {
  const norm = affine(checkpoint, 'vision_tower.encoder.final_layernorm')
  return layerNorm(g, 'final_layernorm', hidden, norm, visionNormEpsilon)
}

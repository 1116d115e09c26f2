import type { InferenceSession } from 'onnxruntime-node'
import type { TextConfig } from '../config/model-config.ts'
import { decoderNames } from '../deepseek/decoder-names.ts'
import { defaultExpandedFromTokens } from '../deepseek/lane-plan.ts'
import type { Chunk } from './given-text.ts'
import { pieceNames } from './piece-graphs.ts'
import { floatTensor, int64Tensor, range } from './row-states.ts'

/**
 * What a layer's attention is fed for a chunk, as `runDecoder` feeds a single sequence.
 * @param rows hidden rows of the chunk
 * @param past what the layer has kept of the tokens before it
 */
export function attentionFeeds(
  config: TextConfig,
  layer: number,
  { position, count, isPrompt }: Chunk,
  rows: Float32Array,
  past: Float32Array,
): InferenceSession.FeedsType {
  const width = config.kv_lora_rank + config.qk_rope_head_dim
  const isExpanded = isPrompt && count >= defaultExpandedFromTokens
  const inLanes = (value: number) => int64Tensor(isExpanded ? [0, value] : [value, 0])
  const none = floatTensor(new Float32Array(0), [0, width])
  const cached = floatTensor(past, [position, width])
  return {
    [pieceNames.rows]: floatTensor(rows, [count, config.hidden_size]),
    [decoderNames.positions]: int64Tensor(range(position, count), [1, count]),
    [decoderNames.counts]: inLanes(count),
    [decoderNames.pastLengths]: inLanes(position),
    [decoderNames.past(layer, 0)]: isExpanded ? none : cached,
    [decoderNames.expandedPast(layer)]: isExpanded ? cached : none,
  }
}

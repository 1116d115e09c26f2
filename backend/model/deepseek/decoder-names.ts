/**
 * The layer that a weight belongs to, in the graphs for the CPU and for a device; undefined for those before and after
 * all layers.
 */
export function layerOf(weightName: string): number | undefined {
  const layer = /^\/layers\.(\d+)\//.exec(weightName)?.[1]
  return layer === undefined ? undefined : Number(layer)
}

/** Names of the decoder graph's inputs and outputs. N = tokens of all lanes in this run. */
export const decoderNames = {
  /** float32 [N, hidden]: input of the first stage */
  embeddings: 'embeddings',
  /** float32 [N, hidden], inputs of every other stage: the residual stream, and what is to be added to it */
  stream: 'stream',
  branch: 'branch',
  /** The same as outputs of every stage but the last */
  nextStream: 'next_stream',
  nextBranch: 'next_branch',
  /** int64 [1, N]: each token's position in its own sequence */
  positions: 'positions',
  /** int64 [rows]: the tokens whose logits are wanted */
  sampleRows: 'sample_rows',
  /** int64 [lanes + 1]: new tokens of each lane, the expanded lane last; sums to N */
  counts: 'counts',
  /** int64 [lanes + 1]: cached tokens of each lane's sequence */
  pastLengths: 'past_lengths',
  /** float32 [cached tokens, latent]: the cache of a lane's sequence */
  past: (layer: number, lane: number) => `past.${layer}.${lane}`,
  expandedPast: (layer: number) => `past.${layer}.expanded`,
  /** float32 [N, latent]: cache rows of the new tokens */
  present: (layer: number) => `present.${layer}`,
  /** float32 [rows, vocab] */
  logits: 'logits',
}

/** Names of the decoder graph's inputs and outputs. N = tokens of all slots in this run. */
export const decoderNames = {
  /** float32 [N, hidden] */
  embeddings: 'embeddings',
  /** int64 [1, N]: each token's place in its own sequence */
  positions: 'positions',
  /** int64 [rows]: which tokens' logits are wanted */
  sampleRows: 'sample_rows',
  /** int64 [slots]: new tokens of each slot, in slot order; sums to N */
  counts: 'counts',
  /** int64 [slots]: tokens each slot's cache holds */
  pastLengths: 'past_lengths',
  /** float32 [cached tokens, latent]: what the slot's cache holds */
  past: (layer: number, slot: number) => `past.${layer}.${slot}`,
  /** float32 [N, latent]: the new tokens' cache rows */
  present: (layer: number) => `present.${layer}`,
  /** float32 [rows, vocab] */
  logits: 'logits',
}

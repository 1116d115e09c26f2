/**
 * Names of the device graph's inputs and outputs. B rows with S new tokens each, N = B * S; S is 1 whenever B is not.
 * T: tokens of the longest sequence, rounded up. P: rows of the cache.
 */
export const deviceNames = {
  /** float32 [B, S, hidden]: the residual stream before the first layer here, which is embeddings before that of all */
  stream: 'stream',
  /** float32 [F, hidden]: features of images, the first row zeros; they are added to embeddings, which are zeros then */
  features: 'features',
  /** int64 [N]: the row of each new token's feature, 0 for none */
  featureRows: 'feature_rows',
  /** int64 [B, S]: each token's position in its own sequence */
  positions: 'positions',
  /** int64 [B, T]: the cache rows of the sequence's tokens, the new ones included; any rows past its end */
  table: 'table',
  /** int64 [N, 1]: the cache rows of the new tokens */
  writeRows: 'write_rows',
  /** int32 [B]: tokens of the sequence, the new ones included, less one */
  lastPositions: 'last_positions',
  /** int32 [1]: tokens of the longest sequence; read by the host */
  longest: 'longest',
  /** int64 [3]: B, S, (heads + 1) * (rope + latent); read by the host */
  shape: 'shape',
  /** float32 [N, experts + shared]: 0 for routed experts, 1 for shared ones */
  expertBase: 'expert_base',
  /** int64 [R]: the tokens whose logits are wanted */
  sampleRows: 'sample_rows',
  /** [P, rope + latent]: a layer's cache, fed and fetched as the same buffer */
  cache: (layer: number) => `cache.${layer}`,
  nextCache: (layer: number) => `next_cache.${layer}`,
  /** float32 [R, vocab]; stays on the device */
  logits: 'logits',
  /** int64 [2]: R, vocab; read by the host */
  logitsShape: 'logits_shape',
  /** float32 [R, candidates]: the largest logits, in falling order, and their ids */
  topLogits: 'top_logits',
  topIds: 'top_ids',
  /** float32 [R]: natural logarithm of the sum of e^logit */
  logSum: 'log_sum',
}

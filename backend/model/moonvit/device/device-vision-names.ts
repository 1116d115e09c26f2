/**
 * Names of the inputs and outputs of the vision tower's device graphs. N patches of an image, of which a run takes n
 * through one part. Data passed between two parts stays on the device; outputs `next_...` are fed and fetched as the
 * same buffer.
 */
export const deviceVisionNames = {
  /** int64 [n]: which patches a run takes */
  rows: 'rows',
  /** int64 [n, 1]: the same */
  writeRows: 'write_rows',
  /** float32 [N, hiddenSize]: the residual stream */
  hidden: 'hidden',
  nextHidden: 'next_hidden',
  /** float32 [N, hiddenSize]: rotated queries for the next attention */
  queries: 'queries',
  nextQueries: 'next_queries',
  /** float32 [N, hiddenSize]: what a block attends to */
  keys: 'keys',
  values: 'values',
  /** float32 [N, hiddenSize]: what the next block will attend to */
  projectedKeys: 'projected_keys',
  projectedValues: 'projected_values',
  nextKeys: 'next_keys',
  nextValues: 'next_values',
  /** float32 [F, text hiddenSize]: features of images that stay on the device */
  features: 'features',
  nextFeatures: 'next_features',
  /** int64 [n / merge^2, 1]: rows for the features of a run */
  featureRows: 'feature_rows',
  /** float32 [1, 1]: read by the host to know that a run has ended */
  done: 'done',
} as const

import { visionNames } from '../vision-names.ts'

/**
 * Names of the inputs and outputs of the vision tower's device graphs: those of `visionNames`, and more. N patches of an
 * image, of which a run takes n through one part. Data passed between two parts stays on the device, as float32
 * [N, hiddenSize] each; outputs `next_...` are fed and fetched as the same buffer.
 */
export const deviceVisionNames = {
  ...visionNames,
  /** int64 [n]: which patches a run takes */
  rows: 'rows',
  /** int64 [n, 1]: the same */
  writeRows: 'write_rows',
  /** float32 [N, hiddenSize]: what the next block will attend to; the next versions are `nextKeys` and `nextValues` */
  projectedKeys: 'projected_keys',
  projectedValues: 'projected_values',
  /** float32 [F, text hiddenSize]: features of images that stay on the device */
  features: 'features',
  nextFeatures: 'next_features',
  /** int64 [n / merge^2, 1]: rows for the features of a run */
  featureRows: 'feature_rows',
  /** float32 [1, 1]: read by the host to know that a run has ended */
  done: 'done',
} as const

/** Names of the inputs and outputs of the vision tower's graphs. */
export const visionNames = {
  /** float32 [patches, 3 * patchSize^2], normalised */
  patches: 'patches',
  /** float32 [patch rows, table rows] and [patch columns, table columns]: see positionWeights */
  rowWeights: 'row_weights',
  columnWeights: 'column_weights',
  /** int64 [1]: index of the stage of the blocks graph to run */
  stage: 'stage',
  /** float32 [patches, hiddenSize]: the residual stream before a stage, and after it */
  hidden: 'hidden',
  nextHidden: 'next_hidden',
  /** float32 [patches, hiddenSize]: rotated queries of a stage's attention, and of the next one's */
  queries: 'queries',
  nextQueries: 'next_queries',
  /** float32 [heads, all patches, headDim]: keys a stage attends to; as output, the next stage's for these patches */
  keys: 'keys',
  values: 'values',
  nextKeys: 'next_keys',
  nextValues: 'next_values',
  /** float32 [patches, headDim / 2] */
  cos: 'cos',
  sin: 'sin',
  /** float32 [patches, hiddenSize]: after the final norm, with the patches of one image token adjacent */
  cells: 'cells',
  /** float32 [patches / merge^2, text hiddenSize]: replacement of the placeholder embeddings */
  imageFeatures: 'image_features',
} as const

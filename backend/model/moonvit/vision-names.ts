/** Names of the inputs and outputs of the vision tower's graphs. */
export const visionNames = {
  /** float32 [patches, 3 * patchSize^2], normalised */
  patches: 'patches',
  /** float32 [patch rows, table rows] and [patch columns, table columns]: see positionWeights */
  rowWeights: 'row_weights',
  columnWeights: 'column_weights',
  /** int64 [1]: which of the blocks graph's stages runs */
  stage: 'stage',
  /** float32 [patches, hiddenSize]: the residual stream before a stage, and after it */
  hidden: 'hidden',
  nextHidden: 'next_hidden',
  /** float32 [patches, hiddenSize]: turned queries of a stage's attention, and of the next one's */
  queries: 'queries',
  nextQueries: 'next_queries',
  /** float32 [heads, all patches, headDim]: what a stage attends to; and the next one's of these patches */
  keys: 'keys',
  values: 'values',
  nextKeys: 'next_keys',
  nextValues: 'next_values',
  /** float32 [patches, headDim / 2] */
  cos: 'cos',
  sin: 'sin',
  /** float32 [patches, hiddenSize]: after the final norm, those of one image token together */
  cells: 'cells',
  /** float32 [patches / merge^2, text hiddenSize]: what replaces placeholder embeddings */
  imageFeatures: 'image_features',
} as const

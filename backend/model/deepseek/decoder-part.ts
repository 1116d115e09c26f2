import type { Model, ModelInfo } from '../model.ts'

/** The cache's part of a model's description. */
export type CacheInfo = Pick<ModelInfo, 'cacheBytesPerToken' | 'slotGrowthTokens' | 'cacheTokens'>

/** The decoder's part of a model: see `Model`. */
export interface Decoder extends Pick<
  Model,
  | 'openSlot'
  | 'closeSlot'
  | 'forkSlot'
  | 'truncateSlot'
  | 'slotLength'
  | 'keepRows'
  | 'restoreRows'
  | 'dropRows'
  | 'step'
  | 'close'
> {
  readonly cacheInfo: CacheInfo
}

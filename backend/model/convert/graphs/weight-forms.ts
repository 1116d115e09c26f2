import type { WeightForm } from '../../../graph/layers.ts'

/** 8-bit weights (the product), or float32 (exact and slower, for comparison). */
export const weightFormNames = ['q8', 'f32'] as const
export type WeightFormName = (typeof weightFormNames)[number]

/**
 * Parts of a model that can stay in float32 by themselves. `dense` are the feed-forward layers without experts. Norms, the
 * router, the projector, the embeddings of tokens and of patches are never rounded.
 */
export const components = ['vision', 'attention', 'dense', 'experts', 'head'] as const
export type Component = (typeof components)[number]

/** Weights that share one scale. */
export const blockSizes = [32, 64, 128] as const
export type BlockSize = (typeof blockSizes)[number]

/**
 * 64 reads 6 % fewer bytes than 32 and loses little: on the nano model all golden texts and 200 of 200 other pictures came
 * out as in float32 with 32, 64 and 128.
 */
export const defaultBlockSize: BlockSize = 64

/** On a device only blocks of 32 have a kernel for several tokens that reads the weights once for all of them. */
const defaultDeviceBlockSize: BlockSize = 32

/** In which form a model is converted. */
export interface FormChoice {
  readonly weights: WeightFormName
  /** Components that stay in float32 while the others are rounded; none unless given. */
  readonly exact?: readonly Component[]
  readonly blockSize?: BlockSize
  /** What the decoder is laid out for: the CPU unless given, or a device with memory of its own. */
  readonly layout?: 'cpu' | 'device'
}

export type ComponentForms = Readonly<Record<Component, WeightForm>>

export function componentForms({
  weights,
  exact = [],
  layout = 'cpu',
  blockSize = defaultBlockSizeOf(layout),
}: FormChoice): ComponentForms {
  const activations = layout === 'cpu' ? 'int8' : 'float32'
  const blocks: WeightForm = { kind: 'q8-blocks', blockSize, activations }
  // Products of patches have many rows, for which a scale a row is 1.4 times as fast; on nano the features' error grows from
  // 1.2 to 1.4 % and all texts hold.
  const rows: WeightForm = { kind: 'q8-rows' }
  const image = layout === 'cpu' ? rows : blocks
  const form = (component: Component, rounded: WeightForm): WeightForm =>
    weights === 'f32' || exact.includes(component) ? { kind: 'f32' } : rounded
  return {
    vision: form('vision', image),
    attention: form('attention', blocks),
    dense: form('dense', blocks),
    experts: form('experts', blocks),
    head: form('head', blocks),
  }
}

/** Names a choice in folders and manifests: `q8`, `f32`, `q8-b32`, `q8-f32-vision-head`, `device-q8`. */
export function formName({
  weights,
  exact = [],
  layout = 'cpu',
  blockSize = defaultBlockSizeOf(layout),
}: FormChoice): string {
  const device = layout === 'device' ? ['device'] : []
  if (weights === 'f32') return [...device, weights].join('-')
  const block = blockSize === defaultBlockSizeOf(layout) ? [] : [`b${blockSize}`]
  const kept = components.filter((component) => exact.includes(component))
  return [...device, 'q8', ...block, ...(kept.length > 0 ? ['f32', ...kept] : [])].join('-')
}

function defaultBlockSizeOf(layout: 'cpu' | 'device'): BlockSize {
  return layout === 'cpu' ? defaultBlockSize : defaultDeviceBlockSize
}

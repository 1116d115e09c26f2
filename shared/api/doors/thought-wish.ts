import { isOneOf, unsupported } from './unsupported.ts'

/**
 * What a request says about thoughts before the answer. A model either always thinks or never does, whatever the
 * request says.
 */
export interface ThoughtWish {
  /** The field that says it. */
  readonly param: string
  readonly wanted: boolean
}

/**
 * Values of OpenAI's `reasoning_effort` that some model satisfies. How much a model thinks cannot be set, so those from `low`
 * on are the same.
 */
export const isKnownEffort = isOneOf('none', 'minimal', 'low', 'medium', 'high', 'xhigh', 'max')

/** @returns undefined for what every model satisfies: nothing, and `minimal`, which allows for no thought as well */
export function wishOfEffort(param: string, effort: unknown): ThoughtWish | undefined {
  if (effort == null || effort === 'minimal') return undefined
  return { param, wanted: effort !== 'none' }
}

/** Types of Anthropic's `thinking` that some model satisfies. */
export const isKnownThinking = isOneOf('enabled', 'adaptive', 'disabled')

/** @param type undefined where nothing is said */
export function wishOfThinking(type: unknown): ThoughtWish | undefined {
  return type === undefined ? undefined : { param: 'thinking', wanted: type !== 'disabled' }
}

/**
 * @param reasons whether the model thinks before it answers
 * @throws {ServiceError} `unsupported_field` when that is not what is wished
 */
export function checkThoughtWish({ param, wanted }: ThoughtWish, reasons: boolean): void {
  if (wanted === reasons) return
  const does = reasons ? 'always thinks' : 'does not think'
  throw unsupported(param, `this model ${does} before it answers`)
}

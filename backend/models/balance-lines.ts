import type { TextConfig } from '../model/config/model-config.ts'
import { components, type Component } from '../model/convert/graphs/weight-forms.ts'
import type { Equalization } from '../model/equalize/find-outliers.ts'

/** Which channels were balanced, as lines for the operator: in total, and in each component that has any. */
export function balanceLines(equalization: Equalization, config: TextConfig): string[] {
  const places = Object.entries(equalization).map(([link, shifts]) => ({
    component: componentOf(link, config),
    isMultiplied: link.endsWith('.middle'),
    shifts: Object.values(shifts),
  }))
  if (places.length === 0) return ['outliers: no channel is out of balance']
  const own = (component: Component) => places.filter((place) => place.component === component)
  return [
    `outliers: ${amount(places)} are balanced`,
    ...components
      .map((component) => ({ component, found: own(component) }))
      .filter(({ found }) => found.length > 0)
      .map(({ component, found }) => `  ${component}: ${amount(found)}${detail(found)}`),
  ]
}

/** How these were determined. @param calibration SHA-256 of the set that channels were measured with, if they were */
export function calibrationLine(calibration: string | undefined): string {
  if (calibration === undefined) return 'channels estimated from weights alone'
  return `channels measured with the calibration set, sha256 ${calibration}`
}

interface Place {
  /** Whether it is after a GELU, where the graph multiplies the channels. */
  readonly isMultiplied: boolean
  readonly shifts: readonly number[]
}

function amount(places: readonly Place[]): string {
  const channels = places.reduce((sum, { shifts }) => sum + shifts.length, 0)
  return `${channels} channels in ${places.length} places`
}

function detail(places: readonly Place[]): string {
  const powers = places.flatMap(({ shifts }) => shifts.map(Math.abs))
  const factors = `, by factors of ${2 ** Math.min(...powers)} to ${2 ** Math.max(...powers)}`
  const multiplied = places.filter(({ isMultiplied }) => isMultiplied).length
  return multiplied === 0 ? factors : `${factors}; ${multiplied} behind a gelu, each with a product`
}

/** The component whose products take the channels of a link. */
function componentOf(link: string, { first_k_dense_replace }: TextConfig): Component {
  if (link.startsWith('vision_tower.')) return 'vision'
  const [, layer, rest] = /\.layers\.(\d+)\.(.*)$/.exec(link) ?? []
  if (layer === undefined) return 'head'
  if (/^(input_layernorm|self_attn)/.test(rest!)) return 'attention'
  return Number(layer) < first_k_dense_replace ? 'dense' : 'experts'
}

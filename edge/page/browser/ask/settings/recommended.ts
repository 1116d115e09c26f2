import type { RecommendedRules } from '../../../../../shared/api/request/preset.ts'
import { routes } from '../../../../../shared/api/routes.ts'

interface ModelList {
  readonly data: readonly { readonly preset: RecommendedRules | null }[]
}

/**
 * The settings that the authors of the running model recommend.
 * @returns undefined if they recommend none, or if the server does not report any
 */
export async function fetchRecommended(key: string): Promise<RecommendedRules | undefined> {
  try {
    const response = await fetch(routes.models.path, { headers: { 'x-api-key': key } })
    if (!response.ok) return undefined
    const { data } = (await response.json()) as ModelList
    return data[0]?.preset ?? undefined
  } catch {
    return undefined
  }
}

/** By the API's field names: `temperature 0.2, top_p 0.9`. */
export function rulesText(rules: RecommendedRules): string {
  return Object.entries(rules)
    .map(([name, value]) => `${name} ${value}`)
    .join(', ')
}

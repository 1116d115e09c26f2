import { mkdirSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { writeSection } from '../../../performance/document.ts'
import { tableOf } from '../../report.ts'
import type { CardCheckOptions } from './options.ts'
import type { Missing, PartResult } from './part.ts'

/** Records the results of a card's check. */
interface Keeper {
  /** Replaces the written results by the current ones, so that nothing measured is lost, however the check ends. */
  keep(results: readonly PartResult[]): void
  /**
   * Writes docs/performance.md too, if requested.
   * @param verdict the last lines @returns the section, and where it is, for people
   */
  finish(results: readonly PartResult[], verdict: string): Promise<string>
}

/** @param environment card and machine, for people */
export function createKeeper(
  { layers, visionLayers, slots, dir, doc }: CardCheckOptions,
  environment: string,
): Keeper {
  const date = new Date().toISOString()
  const title = `${environment}; ${layers} decoder layers, ${visionLayers} vision layers, ${slots} slots; ${date.slice(0, 10)}`
  const files = { numbers: join(dir, 'card.json'), section: join(dir, 'card.md') }
  mkdirSync(dir, { recursive: true })
  const keep = (results: readonly PartResult[], verdict?: string) => {
    const numbers = { date, environment, layers, slots, results }
    replace(files.numbers, JSON.stringify(numbers, null, 2))
    replace(files.section, sectionOf(title, results, verdict))
  }
  return {
    keep,
    async finish(results, verdict) {
      keep(results, verdict)
      const section = sectionOf(title, results, verdict)
      if (doc) await writeSection('card', section)
      const where = `written to ${files.section}, numbers to ${files.numbers}`
      return `${sectionOf(title, results)}\n\n${where}\n\n${verdict}`
    },
  }
}

/** In Markdown: what was measured, what is missing, and the verdict once there is one. */
export function sectionOf(title: string, results: readonly PartResult[], verdict?: string): string {
  const table = tableOf(results.flatMap(({ rows }) => rows))
  const missing = results.flatMap((result) => {
    const text = missingText(result.missing)
    return text === undefined ? [] : [`- **${result.name}**: ${text}`]
  })
  const list = missing.length > 0 ? [missing.join('\n')] : []
  return [title, table, ...list, ...(verdict === undefined ? [] : [verdict])].join('\n\n')
}

/** @returns undefined when nothing is missing */
export function missingText({ problem, leftOut }: Missing): string | undefined {
  const left = leftOut.length === 0 ? [] : [`no time was left for: ${leftOut.join(', ')}`]
  const parts = [...(problem === undefined ? [] : [problem]), ...left]
  return parts.length === 0 ? undefined : parts.join('; ')
}

/** A reader finds the old content or the new one, never a mixture. */
function replace(file: string, content: string): void {
  writeFileSync(`${file}.new`, content)
  renameSync(`${file}.new`, file)
}

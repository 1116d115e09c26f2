import { connectionLimit as backendLimit } from '../../backend/http/server/connection-limit.ts'
import { connectionLimit as edgeLimit } from '../../edge/node/connection-limit.ts'
import type { StartSettings } from './settings.ts'

/**
 * Makes sure that the programs may have as many files open as they need: they inherit the limit of this process, which
 * would itself fail with fewer, and less clearly.
 * @param openFiles undefined when unknown
 * @throws {ConfigError} naming the limit and what is needed
 */
export function checkOpenFiles(
  openFiles: number | undefined,
  { edgeKind, backend }: Pick<StartSettings, 'edgeKind' | 'backend'>,
): void {
  if (edgeKind === 'node') edgeLimit(openFiles)
  backendLimit(openFiles, backend.threads)
}

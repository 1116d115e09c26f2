import type { Environment } from '../shared/node/settings/dot-env.ts'

/** What commands need from their environment. */
export interface CliParts {
  readonly environment: Environment
  readonly fetch: typeof fetch
  /** Writes a line of the result. */
  readonly print: (line: string) => void
  /** Writes a line for people beside the result, such as progress. */
  readonly note: (line: string) => void
  /** Milliseconds since 1970. */
  readonly now: () => number
}

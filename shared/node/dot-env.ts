import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'

export type Environment = Readonly<Record<string, string | undefined>>

/** The environment with what the file `path` adds to it; the real environment wins. */
export function withDotEnv(environment: Environment, path: string): Environment {
  if (!existsSync(path)) return environment
  return { ...parseEnv(readFileSync(path, 'utf8')), ...environment }
}

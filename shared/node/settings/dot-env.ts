import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'

export type Environment = Readonly<Record<string, string | undefined>>

/** The variables of the file `path`; empty when there is none. Skips a byte order mark, which Windows editors write. */
export function readDotEnv(path: string): Environment {
  if (!existsSync(path)) return {}
  return parseEnv(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''))
}

/**
 * The environment extended by the file `path`. The real environment wins, except for empty values, which count as
 * unset.
 */
export function withDotEnv(environment: Environment, path: string): Environment {
  const set = Object.entries(environment).filter(([, value]) => value !== '')
  return { ...readDotEnv(path), ...Object.fromEntries(set) }
}

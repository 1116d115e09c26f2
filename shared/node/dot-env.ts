import { existsSync, readFileSync } from 'node:fs'
import { parseEnv } from 'node:util'

export type Environment = Readonly<Record<string, string | undefined>>

/** What the file `path` says; nothing, when there is none. A byte order mark, as Windows editors write it, is skipped. */
export function readDotEnv(path: string): Environment {
  if (!existsSync(path)) return {}
  return parseEnv(readFileSync(path, 'utf8').replace(/^\uFEFF/, ''))
}

/**
 * The environment with what the file `path` adds to it; the real environment wins, but for empty values, which count as
 * unset.
 */
export function withDotEnv(environment: Environment, path: string): Environment {
  const set = Object.entries(environment).filter(([, value]) => value !== '')
  return { ...readDotEnv(path), ...Object.fromEntries(set) }
}

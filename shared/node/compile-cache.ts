import module from 'node:module'
import { fileURLToPath } from 'node:url'

/**
 * Beside the packages: whoever can write there could change the programs too, unlike in a folder for temporary files.
 */
const folder = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url))

/**
 * Keeps the compiled code of what is imported from here on, in this process and those it starts, so that it is ready the
 * next time. `NODE_COMPILE_CACHE` names another folder. Where nothing can be written, programs start as if there were no cache.
 */
export function keepCompiledCode(): void {
  process.env['NODE_COMPILE_CACHE'] ??= folder
  module.enableCompileCache(process.env['NODE_COMPILE_CACHE'])
}

/** What a process needs to use the cache, and nothing else of our environment. */
export function compileCacheEnvironment(): Record<string, string> {
  const used = process.env['NODE_COMPILE_CACHE']
  return used === undefined ? {} : { NODE_COMPILE_CACHE: used }
}

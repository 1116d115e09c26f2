import { enableCompileCache } from 'node:module'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

// Plain JavaScript, like the programs' entry files: Node's TypeScript compiler, which takes 0.2 s to load, is then not
// needed at all once everything is in the cache.

/**
 * Beside the packages: unlike a folder for temporary files, only those who could change the programs can write there.
 */
const besidePackages = fileURLToPath(new URL('../../node_modules/.cache/compiled', import.meta.url))

/**
 * Keeps the compiled code of what is imported from here on, in this process and those it starts, so that it is ready
 * the next time. `NODE_COMPILE_CACHE` names another folder. Where nothing can be written, programs start as if there
 * were no cache.
 */
export function keepCompiledCode() {
  const { NODE_COMPILE_CACHE: chosen, STATE_DIR: stateDir } = process.env
  const used = foldersOf(chosen, stateDir).find(
    (folder) => enableCompileCache(folder).directory !== undefined,
  )
  if (used !== undefined) process.env['NODE_COMPILE_CACHE'] = used
}

/**
 * The folders to try, in order: on a read-only checkout or in a container only the state can be written.
 * @param {string | undefined} chosen
 * @param {string | undefined} stateDir
 */
function foldersOf(chosen, stateDir) {
  if (chosen !== undefined) return [chosen]
  return stateDir === undefined ? [besidePackages] : [besidePackages, resolve(stateDir, 'compiled')]
}

/**
 * What a process needs to use the cache, and nothing else of our environment.
 * @returns {Record<string, string>}
 */
export function compileCacheEnvironment() {
  const used = process.env['NODE_COMPILE_CACHE']
  return used === undefined ? {} : { NODE_COMPILE_CACHE: used }
}

import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { root } from './paths.mjs'

/**
 * Runs a program in this process, as if it had been called by its own name. If it exports `main`, that function's
 * result becomes the exit code.
 * @param {string} path relative to the project's folder
 * @param {readonly string[]} programArguments
 */
export async function runProgram(path, programArguments) {
  const file = join(root, path)
  process.argv = [process.execPath, file, ...programArguments]
  // Only the Node that is here by now has what it imports.
  const { keepCompiledCode } = await import('../../shared/node/compile-cache.mjs')
  keepCompiledCode()
  // The channel of rerun.mjs is no reason to stay; the programs that others start have theirs.
  process.channel?.unref()
  const { main } = await import(pathToFileURL(file).href)
  if (main !== undefined) process.exit(await main(programArguments))
}

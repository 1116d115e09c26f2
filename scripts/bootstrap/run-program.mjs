import module from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { compileCache, root } from './paths.mjs'

/**
 * Runs a program in this process, as if it had been called by its own name. If it exports `main`, that function's
 * result becomes the exit code.
 * @param {string} path relative to the project's folder
 * @param {readonly string[]} programArguments
 */
export async function runProgram(path, programArguments) {
  const file = join(root, path)
  process.argv = [process.execPath, file, ...programArguments]
  // For this process and those it starts.
  process.env.NODE_COMPILE_CACHE ??= compileCache
  module.enableCompileCache(process.env.NODE_COMPILE_CACHE)
  // The channel of rerun.mjs must not keep this process alive; programs started by others have their own.
  process.channel?.unref()
  const { main } = await import(pathToFileURL(file).href)
  if (main !== undefined) process.exit(await main(programArguments))
}

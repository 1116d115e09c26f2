import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'compiled-'))))
afterEach(() => rmSync(folder, { recursive: true }))

/** A program that keeps its compiled code, and imports something. */
function runProgram(cache: string) {
  const url = (path: string) => JSON.stringify(pathToFileURL(path).href)
  const program = `
    import { compileCacheEnvironment, keepCompiledCode } from ${url('shared/node/compile-cache.ts')}
    keepCompiledCode()
    await import(${url('shared/api/limits.ts')})
    console.log(JSON.stringify(compileCacheEnvironment()))`
  const env = { NODE_COMPILE_CACHE: cache }
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { env, encoding: 'utf8' },
  )
  return { status, stderr, environment: JSON.parse(stdout) as unknown }
}

it('keeps what was compiled, and says to others where', () => {
  const environment = { NODE_COMPILE_CACHE: folder }
  expect(runProgram(folder)).toEqual({ status: 0, stderr: '', environment })
  expect(readdirSync(folder, { recursive: true }).length).toBeGreaterThan(1)
})

it('does without where nothing can be written', () => {
  expect(runProgram('/dev/null/compiled')).toMatchObject({ status: 0, stderr: '' })
})

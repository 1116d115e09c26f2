import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, expect, it } from 'vitest'

let folder: string
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'compiled-'))))
afterEach(() => rmSync(folder, { recursive: true }))

/**
 * A program that keeps its compiled code, and imports something.
 * @param project the folder it belongs to
 */
function runProgram(env: Record<string, string>, project = '.') {
  const url = (path: string) => JSON.stringify(pathToFileURL(path).href)
  const program = `
    import { compileCacheEnvironment, keepCompiledCode } from ${url(join(project, 'shared/node/compile-cache.mjs'))}
    keepCompiledCode()
    await import(${url('shared/api/limits.ts')})
    console.log(JSON.stringify(compileCacheEnvironment()))`
  const { status, stdout, stderr } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { env, encoding: 'utf8' },
  )
  return { status, stderr, environment: JSON.parse(stdout) as unknown }
}

/** A copy of the project in which nothing can be written beside the packages, not even by root. */
function readOnlyProject(): string {
  const file = 'shared/node/compile-cache.mjs'
  mkdirSync(join(folder, 'shared/node'), { recursive: true })
  cpSync(file, join(folder, file))
  writeFileSync(join(folder, 'node_modules'), '')
  return folder
}

const filesIn = (path: string) => readdirSync(path, { recursive: true })

it('keeps what was compiled, and says to others where', () => {
  const environment = { NODE_COMPILE_CACHE: folder }
  expect(runProgram(environment)).toEqual({ status: 0, stderr: '', environment })
  expect(filesIn(folder).length).toBeGreaterThan(1)
})

it('keeps it in the folder of the state where the packages cannot be written to', () => {
  const state = join(folder, 'state')
  const environment = { NODE_COMPILE_CACHE: join(state, 'compiled') }
  const result = runProgram({ STATE_DIR: state }, readOnlyProject())
  expect(result).toEqual({ status: 0, stderr: '', environment })
  expect(filesIn(environment.NODE_COMPILE_CACHE).length).toBeGreaterThan(1)
})

it.each([
  ['the folder named', () => runProgram({ NODE_COMPILE_CACHE: '/dev/null/compiled' })],
  ['the project', () => runProgram({}, readOnlyProject())],
  ['the state', () => runProgram({ STATE_DIR: '/dev/null' }, readOnlyProject())],
])('does without where %s cannot be written to', (_, run) => {
  expect(run()).toMatchObject({ status: 0, stderr: '' })
})

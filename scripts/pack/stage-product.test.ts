import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { cp, mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../bootstrap/paths.mjs'
import { isLeftOut } from './package-files.ts'
import { stageFiles, thisPlatform } from './stage-product.ts'

/** Everything that is run from an archive. */
const programs = [
  'scripts/bench/card/parts/parts.ts',
  'scripts/start/launcher.ts',
  'backend/serve.ts',
  'backend/model/load-model.ts',
  'backend/engine/engine.ts',
  'edge/app.ts',
]

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'pack-'))
  await stageFiles(folder)
})
afterAll(() => rm(folder, { recursive: true }))

describe('what is packed', () => {
  it('has the sources, the model and Node, and no tests', async () => {
    const files = await readdir(folder, { recursive: true })
    for (const file of ['README.md', 'backend/main.mjs', 'models/kimi-vl-nano/config.json']) {
      expect(files).toContain(file)
    }
    expect(files.filter((file) => file.endsWith('.test.ts'))).toEqual([])
    expect(existsSync(join(folder, '.env'))).toBe(false)
  })

  it('has everything that its programs import, with what is kept of the packages of a production install', async () => {
    await copyKeptPackages(join(folder, 'node_modules'))
    const run = (...given: string[]) =>
      promisify(execFile)(join(folder, 'describe-server'), given, {
        cwd: tmpdir(),
        env: { PATH: '/usr/bin:/bin' },
      })
    expect((await run('bench-card', '--help')).stdout).toContain('Judges a graphics card')
    expect((await run('describe', '--help')).stdout).toContain('doctor')
    const imports = programs.map((program) => {
      const { href } = pathToFileURL(join(folder, program))
      return `await import(${JSON.stringify(href)})`
    })
    const code = imports.join('\n')
    await promisify(execFile)(process.execPath, ['--input-type=module', '--eval', code])
  }, 180_000)

  it('has of its packages what Node runs on this platform', async () => {
    const packages = join(folder, 'node_modules')
    const files = await readdir(packages, { recursive: true })
    expect(files.filter((file) => /\.(map|ts|mts|cts)$/.test(file))).toEqual([])
    expect(await readdir(join(packages, 'onnxruntime-node/bin/napi-v6'))).toEqual([
      process.platform,
    ])
    for (const file of ['tiktoken/lite/tiktoken_bg.wasm', 'protobufjs/src/reader.js']) {
      expect(files).toContain(file)
    }
    for (const part of ['tiktoken/encoders', 'tiktoken/tiktoken_bg.wasm', 'bintrees/test']) {
      expect(existsSync(join(root, 'node_modules', part)), part).toBe(true)
      expect(files).not.toContain(part)
    }
  })

  // An archive may be up to 60 MiB, of which Node takes 26. Checking that takes a minute of xz; this notices growth
  // earlier.
  it.runIf(thisPlatform === 'linux/x64')('is as much as fits into the archive', async () => {
    const bytes = (part: string) => bytesOf(join(folder, part))
    const packages = await bytes('node_modules')
    expect(packages).toBeLessThan(98e6)
    expect((await bytes('.')) - packages - (await bytes('node'))).toBeLessThan(15e6)
  })

  it('runs its programs with its own Node, wherever it is called from', async () => {
    const command = join(folder, 'describe-server')
    const run = promisify(execFile)(command, ['nothing'], {
      cwd: tmpdir(),
      env: { PATH: '/usr/bin:/bin' },
    })
    await expect(run).rejects.toMatchObject({
      code: 1,
      stderr: 'Usage: describe-server backend|bench-card|describe|edge|start [arguments]\n',
    })
  })
})

/** The installed packages that `stageProduct` keeps. */
async function copyKeptPackages(target: string): Promise<void> {
  const text = await readFile(join(root, 'package-lock.json'), 'utf8')
  const { packages } = JSON.parse(text) as { packages: Record<string, { readonly dev?: boolean }> }
  const installed = join(root, 'node_modules')
  for (const [path, { dev }] of Object.entries(packages)) {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1]
    if (name === undefined || dev === true || !existsSync(join(root, path))) continue
    await cp(join(root, path), join(target, name), {
      recursive: true,
      filter: (source) => !isLeftOut(relative(installed, source), thisPlatform),
    })
  }
}

async function bytesOf(parent: string): Promise<number> {
  const entries = await readdir(parent, { recursive: true, withFileTypes: true })
  const sizes = entries
    .filter((entry) => entry.isFile())
    .map(async (entry) => (await stat(join(entry.parentPath, entry.name))).size)
  return (await Promise.all(sizes)).reduce((sum, size) => sum + size, 0)
}

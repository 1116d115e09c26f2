import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { root } from '../bootstrap/paths.mjs'
import { stageFiles } from './stage-product.ts'

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

  it('has everything that its programs import, with the packages of a production install', async () => {
    await linkProductionPackages(join(folder, 'node_modules'))
    const run = (...given: string[]) =>
      promisify(execFile)(join(folder, 'describe-server'), given, {
        cwd: tmpdir(),
        env: { PATH: '/usr/bin:/bin' },
      })
    expect((await run('bench-card', '--help')).stdout).toContain('Judges a graphics card')
    expect((await run('describe', '--help')).stdout).toContain('doctor')
    for (const program of [
      'scripts/bench/card/parts/parts.ts',
      'scripts/start/launcher.ts',
      'backend/serve.ts',
      'backend/model/load-model.ts',
      'backend/engine/engine.ts',
      'edge/app.ts',
    ]) {
      await promisify(execFile)(process.execPath, [
        '--input-type=module',
        '--eval',
        `await import(${JSON.stringify(pathToFileURL(join(folder, program)).href)})`,
      ])
    }
    await rm(join(folder, 'node_modules'), { recursive: true })
  }, 90_000)

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

/** As `npm ci --omit=dev` would have them, of the packages that are installed. */
async function linkProductionPackages(target: string): Promise<void> {
  const text = await readFile(join(root, 'package-lock.json'), 'utf8')
  const { packages } = JSON.parse(text) as { packages: Record<string, { readonly dev?: boolean }> }
  for (const [path, { dev }] of Object.entries(packages)) {
    const name = /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1]
    if (name === undefined || dev === true || !existsSync(join(root, path))) continue
    await mkdir(dirname(join(target, name)), { recursive: true })
    await symlink(join(root, path), join(target, name))
  }
}

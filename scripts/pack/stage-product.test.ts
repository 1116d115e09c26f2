import { execFile } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
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

  it('has everything that judges a graphics card', async () => {
    await symlink(join(root, 'node_modules'), join(folder, 'node_modules'))
    const command = join(folder, 'describe-server')
    const { stdout } = await promisify(execFile)(command, ['bench-card', '--help'], {
      cwd: tmpdir(),
      env: { PATH: '/usr/bin:/bin' },
    })
    expect(stdout).toContain('Judges a graphics card')
    await rm(join(folder, 'node_modules'))
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

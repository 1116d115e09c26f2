import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const isHere = spawnSync('systemd-analyze', ['--version']).error === undefined

/** systemd's own measure of what a service could do to its machine, from 0 to 10; below 2 few are. */
const maxExposure = 2

describe.skipIf(!isHere).each(['backend', 'edge'])(
  'describe-%s.service (skipped without systemd)',
  (name) => {
    let folder: string
    let unit: string
    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'units-'))
      unit = join(folder, `describe-${name}.service`)
      const text = readFileSync(`deploy/systemd/describe-${name}.service`, 'utf8')
      // Whether Node is there is not the unit's fault.
      await writeFile(unit, text.replace('/usr/local/bin/node', process.execPath))
    })
    afterAll(() => rm(folder, { recursive: true }))

    it('is a unit without mistakes', () => {
      const { stdout, stderr, status } = spawnSync('systemd-analyze', ['verify', unit], {
        encoding: 'utf8',
      })
      expect(stdout + stderr).toBe('')
      expect(status).toBe(0)
    })

    it('leaves its program hardly anything to do but its work', () => {
      const text = execFileSync('systemd-analyze', ['security', '--offline=true', unit], {
        encoding: 'utf8',
      })
      const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(text)!
      expect(Number(exposure)).toBeLessThan(maxExposure)
    })
  },
)

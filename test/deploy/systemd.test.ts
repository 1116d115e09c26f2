import { execFileSync, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { parseConfig } from '../../backend/config.ts'
import { inferenceEnvironment } from '../../backend/inference/environment.ts'

const isHere = spawnSync('systemd-analyze', ['--version']).error === undefined

/** systemd's own measure of what a service could do to its machine, from 0 to 10; below 2 few are. */
const maxExposure = 2

const units = [
  { name: 'backend', title: 'describe-backend.service' },
  { name: 'backend', title: 'describe-backend.service with nvidia.conf', dropIn: 'nvidia.conf' },
  { name: 'backend', title: 'describe-backend.service with mesa.conf', dropIn: 'mesa.conf' },
  { name: 'edge', title: 'describe-edge.service' },
]

describe.skipIf(!isHere).each(units)('$title (skipped without systemd)', ({ name, dropIn }) => {
  let folder: string
  let unit: string
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'units-'))
    unit = join(folder, `describe-${name}.service`)
    const text = readFileSync(`deploy/systemd/describe-${name}.service`, 'utf8')
    // Whether Node is there is not the unit's fault.
    await writeFile(unit, text.replace('/usr/local/bin/node', process.execPath))
    if (dropIn === undefined) return
    await mkdir(`${unit}.d`)
    await copyFile(`deploy/systemd/${dropIn}`, join(`${unit}.d`, dropIn))
  })
  afterAll(() => rm(folder, { recursive: true }))

  it('is a unit without mistakes', () => {
    const { stdout, stderr, status } = spawnSync('systemd-analyze', ['verify', unit], {
      encoding: 'utf8',
    })
    expect(stdout + stderr).toBe('')
    expect(status).toBe(0)
  })

  it.runIf(dropIn)('says where the drop-in goes, and sets what is read', () => {
    const text = readFileSync(`deploy/systemd/${dropIn}`, 'utf8')
    expect(text).toContain(`/etc/systemd/system/describe-${name}.service.d/${dropIn}`)
    const set = Object.fromEntries(
      [...text.matchAll(/^Environment=(\w+)=(.*)$/gm)].map(([, key, value]) => [key!, value]),
    )
    expect(parseConfig(set).provider).toBe('webgpu')
    const cache = /^CacheDirectory=(.*)$/m.exec(text)![1]
    expect(inferenceEnvironment(set)).toEqual({ XDG_CACHE_HOME: `/var/cache/${cache}` })
  })

  it('leaves its program hardly anything to do but its work', () => {
    const text = execFileSync('systemd-analyze', ['security', '--offline=true', unit], {
      encoding: 'utf8',
    })
    const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(text)!
    expect(Number(exposure)).toBeLessThan(maxExposure)
  })
})

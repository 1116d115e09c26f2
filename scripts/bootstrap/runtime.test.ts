import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'

type Behaviour = 'installs' | 'installs another' | 'installs nothing' | 'fails'

const pinned = JSON.parse(readFileSync('scripts/bootstrap/runtime/package-lock.json', 'utf8')) as {
  packages: Record<string, { integrity?: string; version?: string }>
}
const isForHere = (path: string) => path.endsWith(`${process.platform}-${process.arch}`)
const packagePath = Object.keys(pinned.packages).find(isForHere)

/** Stands in for npm: records how it was called, and changes the current folder as `behaviour` says. */
const playNpm = (behaviour: Behaviour, folder: string) => `
const { appendFileSync, mkdirSync, readFileSync, writeFileSync } = require('node:fs')
appendFileSync(${JSON.stringify(join(folder, 'calls'))}, process.argv.slice(2).join(' ') + '\\n')
const behaviour = ${JSON.stringify(behaviour)}
if (behaviour === 'fails') process.exit(7)
const path = ${JSON.stringify(packagePath)}
const entry = JSON.parse(readFileSync('package-lock.json', 'utf8')).packages[path]
if (behaviour === 'installs another') entry.integrity = 'sha512-another'
mkdirSync(path + '/bin', { recursive: true })
writeFileSync(path + '/bin/node', '')
const packages = behaviour === 'installs nothing' ? {} : { [path]: entry }
writeFileSync('node_modules/.package-lock.json', JSON.stringify({ packages }))
`

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'runtime-'))
  const withoutPackages = (path: string) => !path.includes('node_modules')
  cpSync('scripts/bootstrap', join(folder, 'bootstrap'), {
    recursive: true,
    filter: withoutPackages,
  })
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Runs the copy's `installRuntime()` with an npm of that behaviour. */
function install(behaviour: Behaviour) {
  const npm = join(folder, 'npm-cli.js')
  writeFileSync(npm, playNpm(behaviour, folder))
  const url = pathToFileURL(join(folder, 'bootstrap/runtime.mjs')).href
  const program = `
    import { installRuntime } from ${JSON.stringify(url)}
    try { console.log(await installRuntime()) } catch (error) { console.log(error.message); process.exit(1) }`
  const { status, stdout } = spawnSync(
    process.execPath,
    ['--input-type=module', '--eval', program],
    { env: { ...process.env, npm_execpath: npm }, encoding: 'utf8' },
  )
  return { status, said: stdout.trim() }
}

const calls = () => readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n')
const programFile = () => join(folder, 'bootstrap/runtime', packagePath!, 'bin/node')

describe.skipIf(packagePath === undefined)('installRuntime()', () => {
  it('fetches the pinned Node of this platform once, and needs no network from then on', () => {
    expect(install('installs')).toEqual({ status: 0, said: programFile() })
    expect(calls()).toHaveLength(1)
    expect(calls()[0]).toMatch(/^ci .*--ignore-scripts/)
    expect(install('fails')).toEqual({ status: 0, said: programFile() })
    expect(calls()).toHaveLength(1)
  })

  it.each(['installs another', 'installs nothing'] as const)(
    'runs nothing that is not what the lock file names, when npm %s',
    (behaviour) => {
      const { status, said } = install(behaviour)
      expect(status).toBe(1)
      expect(said).toMatch(
        /^Cannot fetch \S+ from the npm registry\. Try again, or install Node 24/,
      )
      // Nor the next time, although the program is there.
      expect(existsSync(programFile())).toBe(true)
      expect(install(behaviour).status).toBe(1)
      expect(install('installs')).toEqual({ status: 0, said: programFile() })
    },
  )

  it('says how npm ended', () => {
    expect(install('fails')).toEqual({
      status: 1,
      said: 'Installing packages failed: npm ci ended with 7',
    })
  })

  it('fetches it again when the program is gone', () => {
    install('installs')
    rmSync(programFile())
    expect(install('installs').said).toBe(programFile())
    expect(calls()).toHaveLength(2)
  })
})

it('pins programs of Node 24 or newer, each with its SHA-512', () => {
  const programs = Object.entries(pinned.packages).filter(([path]) => path !== '')
  expect(programs.length).toBeGreaterThan(2)
  for (const [, { version, integrity }] of programs) {
    expect(Number(version?.split('.')[0])).toBeGreaterThanOrEqual(24)
    expect(integrity).toMatch(/^sha512-/)
  }
})

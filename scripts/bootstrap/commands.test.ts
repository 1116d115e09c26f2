import { execFileSync, spawnSync } from 'node:child_process'
import { readdirSync, readFileSync, statSync } from 'node:fs'
import { describe, expect, it } from 'vitest'

const { bin, scripts } = JSON.parse(readFileSync('package.json', 'utf8')) as {
  readonly bin: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
}

const run = (...programArguments: string[]) =>
  spawnSync(process.execPath, ['scripts/bootstrap.mjs', ...programArguments], { encoding: 'utf8' })

describe('every command', () => {
  it('begins with what runs on a fresh clone, before anything is installed or built', () => {
    const first = Object.values(scripts).map((script) => script.split(' ').slice(0, 3).join(' '))
    expect(new Set(first)).toEqual(new Set(['exec node scripts/bootstrap.mjs']))
    const kept = execFileSync('git', ['ls-files'], { encoding: 'utf8' }).split('\n')
    for (const file of Object.values(bin)) {
      expect(kept).toContain(file)
      expect(statSync(file).mode & 0o111).not.toBe(0)
    }
    const early = readdirSync('scripts/bootstrap').filter((name) => name.endsWith('.mjs'))
    for (const file of ['../describe.mjs', '../bootstrap.mjs', ...early]) {
      const text = readFileSync(`scripts/bootstrap/${file}`, 'utf8')
      const imports = [...text.matchAll(/^import .* from '([^']+)'/gm)].map(([, name]) => name!)
      expect(imports.filter((name) => !/^(node:|\.)/.test(name))).toEqual([])
    }
  })

  it.each([
    'start',
    'backend',
    'edge',
    'describe',
    'load',
    'soak',
    'bench',
    'deploy',
    'build',
    'check',
    'format',
    'kernels',
  ])('%s explains itself, and starts nothing for arguments that it does not know', (name) => {
    const help = run(name, '--help')
    expect([help.status, help.stdout.split(' ')[0]]).toEqual([0, 'Usage:'])
    const unknown = run(name, '--prot', '9999')
    expect([unknown.status, unknown.stdout]).toEqual([1, ''])
    expect(unknown.stderr).toContain("unknown option '--prot'")
  })
})

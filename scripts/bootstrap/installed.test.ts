import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { countExtracted, isInstalled } from './installed.mjs'
import { isSupported } from './node-version.mjs'

const elsewhere = process.platform === 'linux' ? 'win32' : 'linux'
const here = { os: [process.platform], cpu: [process.arch], optional: true }
const wanted = {
  '': {},
  'node_modules/a': { integrity: 'sha512-a' },
  'node_modules/dev': { integrity: 'sha512-dev', dev: true },
  'node_modules/native': { integrity: 'sha512-native', ...here },
  'node_modules/foreign': {
    integrity: 'sha512-foreign',
    optional: true,
    os: [elsewhere],
    cpu: ['x64'],
  },
  'node_modules/maybe': { integrity: 'sha512-maybe', optional: true },
}
const { 'node_modules/foreign': foreign, 'node_modules/maybe': _maybe, ...installed } = wanted
const { 'node_modules/dev': _dev, ...production } = installed

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'installed-'))
  mkdirSync(join(folder, 'node_modules'))
})
afterEach(() => rmSync(folder, { recursive: true }))

function look(record: object, withDevelopment = true): boolean {
  const write = (path: string, packages: object) =>
    writeFileSync(join(folder, path), JSON.stringify({ packages }))
  write('package-lock.json', wanted)
  write('node_modules/.package-lock.json', record)
  return isInstalled(folder, { withDevelopment })
}

describe('isInstalled()', () => {
  it('is content with all packages of this platform', () => {
    expect(look(installed)).toBe(true)
  })

  it('misses packages for development only where they are wanted', () => {
    expect([look(production, true), look(production, false)]).toEqual([false, true])
  })

  it.each(['node_modules/a', 'node_modules/native'] as const)(
    'misses %s, or another one',
    (name) => {
      const { [name]: entry, ...others } = installed
      expect(look(others)).toBe(false)
      expect(look({ ...others, [name]: { ...entry, integrity: 'sha512-other' } })).toBe(false)
    },
  )

  it('does not take what was installed for another platform', () => {
    expect(look({ ...installed, 'node_modules/foreign': foreign })).toBe(false)
  })

  it('takes a missing or damaged record for none', () => {
    expect(isInstalled(folder, { withDevelopment: false })).toBe(false)
    look(installed)
    writeFileSync(join(folder, 'node_modules/.package-lock.json'), '{"packages": {')
    expect(isInstalled(folder, { withDevelopment: false })).toBe(false)
  })
})

it.each([
  ['20.18.1', false],
  ['23.11.0', false],
  ['24.0.0', true],
  ['24.22.3', true],
  ['26.1.0', true],
])('knows whether Node %s will do: %s', (version, expected) => {
  expect(isSupported(version)).toBe(expected)
})

describe('countExtracted()', () => {
  it('counts what this platform needs, and what of that is in its place', () => {
    look({})
    expect(countExtracted(folder)).toEqual({ present: 0, all: 3 })
    for (const path of ['node_modules/a', 'node_modules/maybe', 'node_modules/native']) {
      mkdirSync(join(folder, path))
    }
    // npm makes the folders first.
    expect(countExtracted(folder).present).toBe(0)
    for (const path of ['node_modules/a', 'node_modules/maybe']) {
      writeFileSync(join(folder, path, 'package.json'), '{}')
    }
    expect(countExtracted(folder)).toEqual({ present: 1, all: 3 })
  })
})

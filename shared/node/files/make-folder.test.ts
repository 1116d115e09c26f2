import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeFolder } from './make-folder.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'make-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

describe('makeFolder()', () => {
  it('makes all that are missing, with the mode, and minds none that is there', () => {
    const path = join(folder, 'a', 'b')
    makeFolder(path, 0o700)
    makeFolder(path)
    expect([path, join(folder, 'a')].map((one) => statSync(one).mode & 0o777)).toEqual([
      0o700, 0o700,
    ])
  })

  it('follows a link to a folder', () => {
    symlinkSync(folder, join(folder, 'link'))
    makeFolder(join(folder, 'link', 'a'))
    expect(statSync(join(folder, 'a')).isDirectory()).toBe(true)
  })

  it('names a file or a broken link in its way', () => {
    writeFileSync(join(folder, 'file'), '')
    symlinkSync(join(folder, 'nowhere'), join(folder, 'broken'))
    expect(() => makeFolder(join(folder, 'file'))).toThrow(/EEXIST.*file/)
    expect(() => makeFolder(join(folder, 'file', 'a'))).toThrow(/E(EXIST|NOTDIR).*file/)
    expect(() => makeFolder(join(folder, 'broken', 'a'))).toThrow(/EEXIST.*broken/)
  })

  it.runIf(existsSync('/proc/self'))('ends where no folder can be made', () => {
    expect(() => makeFolder('/proc/x/y')).toThrow(/ENOENT.*\/proc\/x/)
  })
})

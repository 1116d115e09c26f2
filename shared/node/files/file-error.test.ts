import { once } from 'node:events'
import { mkdirSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { describe, expect, it } from 'vitest'
import { fileErrorText } from './file-error.ts'

function thrownBy(action: () => unknown): unknown {
  try {
    return action()
  } catch (error) {
    return error
  }
}

describe('fileErrorText()', () => {
  it.each([
    ['/nowhere/a', 'Cannot use /nowhere/a: there is no such file or folder (ENOENT)'],
    ['/', undefined],
    ['/dev/null/a', 'Cannot use /dev/null/a: a part of its path is not a folder (ENOTDIR)'],
  ])('says what is wrong with %s', (path, text) => {
    const said = fileErrorText(thrownBy(() => readFileSync(path)))
    expect(said).toBe(text ?? 'Cannot use a file: it is a folder (EISDIR)')
  })

  it('says that no folder can be made', () => {
    const making = (path: string) => fileErrorText(thrownBy(() => mkdirSync(path)))
    expect(making('/dev/null')).toBe(
      'Cannot use /dev/null: it already exists and is not a folder (EEXIST)',
    )
    expect(making('/nowhere/a')).toBe('Cannot use /nowhere/a: no folder can be made there (ENOENT)')
  })

  it('reports what little is known about a failed write', () => {
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), {
      code: 'ENOSPC',
    })
    expect(fileErrorText(full)).toBe('Cannot use a file: its disk is full (ENOSPC)')
  })

  it('has nothing to say of other errors', () => {
    const others = [new Error('x'), 'x', Object.assign(new Error('x'), { code: 'ECONNREFUSED' })]
    expect(others.map(fileErrorText)).toEqual([undefined, undefined, undefined])
  })

  it('takes no address for a file', async () => {
    const server = createServer().listen('/nowhere/a')
    const [failure] = (await once(server, 'error')) as [NodeJS.ErrnoException]
    expect(failure.code).toBe('EACCES')
    expect(fileErrorText(failure)).toBeUndefined()
  })
})

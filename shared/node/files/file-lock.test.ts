import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { tryLock } from './file-lock.ts'

let folder: string
let file: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lock-'))
  file = join(folder, 'a.lock')
})
afterEach(() => rm(folder, { recursive: true }))

/** Another process that takes the lock and keeps it until it is killed. */
async function holder() {
  const script = `import { tryLock } from './shared/node/files/file-lock.ts'
    globalThis.held = tryLock(process.argv[1]); console.log('held'); setInterval(() => held, 1000)`
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, file])
  await once(child.stdout, 'data')
  return child
}

describe('tryLock()', () => {
  it('has one holder at a time, and leaves no file', () => {
    const first = tryLock(file)
    expect(tryLock(file)).toBeUndefined()
    first!.release()
    const second = tryLock(file)
    expect(tryLock(file)).toBeUndefined()
    second!.release()
    expect(existsSync(file)).toBe(false)
  })

  it('takes over from a process that was killed', async () => {
    const child = await holder()
    expect(tryLock(file)).toBeUndefined()
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
    expect(existsSync(file)).toBe(true)
    tryLock(file)!.release()
  })

  it('says which folder is not there', () => {
    expect(() => tryLock(join(folder, 'nowhere', 'a.lock'))).toThrow(/ENOENT.*nowhere/)
  })
})

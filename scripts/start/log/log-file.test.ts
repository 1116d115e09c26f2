import { mkdtemp, readFile, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { LogFile } from './log-file.ts'

let folder: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'log-file-'))
})
afterEach(() => rm(folder, { recursive: true }))

it('goes on where it left off, and keeps one file before the one it writes', async () => {
  const path = join(folder, 'a.log')
  const first = new LogFile(path, 20)
  first.write('one 45678\n')
  await first.close()

  const second = new LogFile(path, 20)
  for (const line of ['two 45678\n', 'three 678\n', 'four 5678\n', 'five 5678\n'])
    second.write(line)
  await second.close()
  expect(await readFile(`${path}.1`, 'utf8')).toBe('three 678\nfour 5678\n')
  expect(await readFile(path, 'utf8')).toBe('five 5678\n')
  expect((await stat(path)).mode & 0o777).toBe(0o600)
})

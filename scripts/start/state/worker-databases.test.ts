import { mkdir, mkdtemp, open, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { checkWorkerDatabases, workerState } from './worker-databases.ts'

let stateDir: string
let file: string
beforeEach(async () => {
  stateDir = await mkdtemp(join(tmpdir(), 'state-'))
  const folder = join(stateDir, workerState, 'edge-KeyAuthority')
  await mkdir(folder, { recursive: true })
  file = join(folder, '0123.sqlite')
})
afterEach(() => rm(stateDir, { recursive: true }))

const check = () => checkWorkerDatabases(stateDir)

function writeRows(): void {
  const database = new DatabaseSync(file)
  database.exec('PRAGMA journal_mode = WAL; CREATE TABLE keys (id TEXT PRIMARY KEY)')
  const insert = database.prepare('INSERT INTO keys VALUES (?)')
  for (let row = 0; row < 2_000; row++) insert.run(`key-${row}`)
  database.close()
}

it('accepts no state, sound databases and empty ones', async () => {
  expect(check).not.toThrow()
  writeRows()
  await writeFile(join(stateDir, workerState, 'edge-KeyAuthority', 'empty.sqlite'), '')
  expect(check).not.toThrow()
  await rm(join(stateDir, workerState), { recursive: true })
  expect(check).not.toThrow()
})

it('names a file that is no database, and what to do', async () => {
  await writeFile(file, Buffer.alloc(8192, 0xa5))
  expect(check).toThrow(`${file} is damaged. Put a backup of`)
})

it('names a database in which a page was overwritten', async () => {
  writeRows()
  const handle = await open(file, 'r+')
  await handle.write(Buffer.alloc(4096, 0xa5), 0, 4096, 8192)
  await handle.close()
  expect(check).toThrow(`${file} is damaged`)
})

it('names a database whose format is not known', async () => {
  writeRows()
  const handle = await open(file, 'r+')
  // The schema format number, 1 to 4, is at byte 44 (sqlite.org/fileformat.html, 1.3).
  await handle.write(Uint8Array.of(0, 0, 0, 68), 0, 4, 44)
  await handle.close()
  expect(check).toThrow(`${file} is damaged`)
})

it('names one that cannot be opened', async () => {
  await mkdir(file)
  expect(check).toThrow(`Cannot use ${file} (`)
})

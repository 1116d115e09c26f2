import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { Worker } from 'node:worker_threads'
import { afterEach, beforeEach, describe, expect, it, onTestFinished, vi } from 'vitest'
import { openSqlite, type SqliteFile } from './sqlite.ts'

let folder: string
let files: SqliteFile[]
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sqlite-'))
  files = []
})
afterEach(() => {
  vi.restoreAllMocks()
  for (const file of files) file.close()
  rmSync(folder, { recursive: true })
})

function open(): SqliteFile {
  const file = openSqlite(join(folder, 'edge'), 'test')
  files.push(file)
  return file
}

describe('openSqlite()', () => {
  it('runs statements with parameters and gives their rows', () => {
    const sql = open()
    expect(sql.all('CREATE TABLE t (a INTEGER, b TEXT)')).toEqual([])
    expect(sql.all('INSERT INTO t VALUES (?, ?) RETURNING a', 9_007_199_254_740_991, 'x')).toEqual([
      { a: 9_007_199_254_740_991 },
    ])
    sql.all('INSERT INTO t VALUES (?, ?)', 2, null)
    expect(sql.all('SELECT * FROM t WHERE a = ?', 2)).toEqual([{ a: 2, b: null }])
  })

  it('keeps nothing of a transaction that throws', () => {
    const sql = open()
    sql.all('CREATE TABLE t (a INTEGER)')
    expect(() =>
      sql.transaction(() => {
        sql.all('INSERT INTO t VALUES (1)')
        throw new Error('changed my mind')
      }),
    ).toThrow('changed my mind')
    expect(sql.all('SELECT * FROM t')).toEqual([])
    expect(sql.transaction(() => sql.all('INSERT INTO t VALUES (2) RETURNING a'))).toEqual([
      { a: 2 },
    ])
  })

  it('shows what another connection has written at once', () => {
    const [writer, reader] = [open(), open()]
    writer.all('CREATE TABLE t (a INTEGER)')
    expect(reader.all('SELECT * FROM t')).toEqual([])
    writer.all('INSERT INTO t VALUES (1)')
    expect(reader.all('SELECT * FROM t')).toEqual([{ a: 1 }])
  })

  it('says within a second that its file was removed or replaced, and goes on once it is back', () => {
    let now = 0
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    const sql = open()
    sql.all('CREATE TABLE t (a INTEGER)')
    const [path, away] = [join(folder, 'edge', 'test.db'), join(folder, 'away.db')]
    renameSync(path, away)
    now += 1_000
    const removed = `${path} was removed while in use`
    expect(() => sql.all('SELECT * FROM t')).toThrow(removed)
    expect(() => sql.transaction(() => 0)).toThrow(removed)
    copyFileSync(away, path)
    expect(() => sql.all('SELECT * FROM t')).toThrow(`${path} was replaced while in use`)
    renameSync(away, path)
    expect(sql.all('INSERT INTO t VALUES (1) RETURNING a')).toEqual([{ a: 1 }])
  })

  it('says within a second that another database, or anything else, was written into its file', () => {
    let now = 0
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    const path = join(folder, 'edge', 'test.db')
    const sql = open()
    sql.all('CREATE TABLE t (a INTEGER)')
    const other = openSqlite(join(folder, 'other'), 'test')
    other.all('CREATE TABLE t (a INTEGER)')
    other.close()
    const own = readFileSync(path)
    for (const content of [
      readFileSync(join(folder, 'other', 'test.db')),
      Buffer.alloc(8_192),
      '',
    ]) {
      now += 1_000
      expect(sql.all('SELECT * FROM t')).toEqual([])
      writeFileSync(path, content)
      now += 1_000
      expect(() => sql.all('SELECT * FROM t')).toThrow(`${path} was overwritten while in use`)
      writeFileSync(path, own)
    }
  })

  it('can be opened when the log of changes cannot be written back, as on a full disk', () => {
    open().all('CREATE TABLE t (a INTEGER)')
    vi.spyOn(DatabaseSync.prototype, 'exec').mockImplementation(function (this: DatabaseSync, sql) {
      if (sql.includes('wal_checkpoint')) throw new Error('database or disk is full')
      this.prepare(sql).all()
    })
    expect(open().all('SELECT * FROM t')).toEqual([])
  })

  it('is recognised by all processes, and when it is opened again', () => {
    let now = 0
    vi.spyOn(performance, 'now').mockImplementation(() => now)
    const [first, second] = [open(), open()]
    first.all('CREATE TABLE t (a INTEGER)')
    now += 1_000
    expect([first.all('SELECT * FROM t'), second.all('SELECT * FROM t')]).toEqual([[], []])
    for (const file of files.splice(0)) file.close()
    const again = open()
    now += 1_000
    expect(again.all('SELECT * FROM t')).toEqual([])
  })

  it('can be opened by several programs at the same moment', async () => {
    const opener = `
      import { parentPort } from 'node:worker_threads'
      import { openSqlite } from ${JSON.stringify(import.meta.resolve('./sqlite.ts'))}
      parentPort.on('message', (folder) => {
        try {
          openSqlite(folder, 'test').close()
          parentPort.postMessage('open')
        } catch (error) {
          parentPort.postMessage(String(error))
        }
      })`
    const url = new URL(`data:text/javascript,${encodeURIComponent(opener)}`)
    const threads = Array.from({ length: 4 }, () => new Worker(url))
    onTestFinished(async () => {
      await Promise.all(threads.map((thread) => thread.terminate()))
    })
    for (let round = 0; round < 40; round++) {
      const answers = threads.map((thread) => once(thread, 'message'))
      for (const thread of threads) thread.postMessage(join(folder, String(round)), [])
      expect((await Promise.all(answers)).flat()).toEqual(['open', 'open', 'open', 'open'])
    }
  })

  it('makes files only their owner can read', () => {
    open().all('CREATE TABLE t (a INTEGER)')
    expect(statSync(join(folder, 'edge', 'test.db')).mode & 0o077).toBe(0)
    expect(statSync(join(folder, 'edge')).mode & 0o077).toBe(0)
  })
})

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { ConfigError } from '../../../shared/node/settings/environment.ts'
import { openStores } from './stores.ts'

function newStateDir(): string {
  const folder = mkdtempSync(join(tmpdir(), 'stores-'))
  onTestFinished(() => rmSync(folder, { recursive: true }))
  return folder
}

/** The message of an attempt to open the stores. */
function problemOf(stateDir: string): string {
  try {
    openStores(stateDir, Date.now)
  } catch (error) {
    if (error instanceof ConfigError) return error.message
    throw error
  }
  throw new Error('The stores were opened')
}

describe('openStores()', () => {
  it.each([
    ['keys', 'all API keys but the root key'],
    ['usage', 'what keys have used'],
    ['answers', 'the answers kept for an Idempotency-Key'],
  ])('names a damaged %s.db, and what moving it away would lose', (name, loss) => {
    const stateDir = newStateDir()
    mkdirSync(join(stateDir, 'edge'))
    const path = join(stateDir, 'edge', `${name}.db`)
    writeFileSync(path, Buffer.alloc(8_192, 'no database '))
    const problem = problemOf(stateDir)
    expect(problem).toContain(`${path} is damaged.`)
    expect(problem).toContain(`start without ${loss}`)
  })

  it('names a database whose format is not known', () => {
    const stateDir = newStateDir()
    mkdirSync(join(stateDir, 'edge'))
    const path = join(stateDir, 'edge', 'keys.db')
    const database = new DatabaseSync(path)
    database.exec('CREATE TABLE keys (id TEXT)')
    database.close()
    const bytes = readFileSync(path)
    // The schema format number, 1 to 4 (sqlite.org/fileformat.html, 1.3).
    bytes.writeUInt32BE(68, 44)
    writeFileSync(path, bytes)
    expect(problemOf(stateDir)).toContain(`${path} is damaged.`)
  })

  it('names a state folder that cannot be used', () => {
    const stateDir = newStateDir()
    writeFileSync(join(stateDir, 'edge'), 'in its place')
    expect(problemOf(stateDir)).toMatch(/^Cannot use .*edge \((EEXIST|ENOTDIR)\)\. STATE_DIR must/)
  })

  it('names a database that cannot be opened', () => {
    const stateDir = newStateDir()
    mkdirSync(join(stateDir, 'edge', 'usage.db'), { recursive: true })
    expect(problemOf(stateDir)).toMatch(/^Cannot use .*usage\.db \(.+\)\. STATE_DIR must/)
  })
})

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { createApiKeys } from '../../../edge/keys/api-keys.ts'
import { KeyRegistry } from '../../../edge/keys/key-registry.ts'
import { localKeySource } from '../../../edge/keys/key-source.ts'
import { openSqlite, type SqliteFile } from '../../../edge/node/stores/sqlite.ts'

/** A separate database for the running test. */
export function testSqlite(): SqliteFile {
  const folder = mkdtempSync(join(tmpdir(), 'edge-sqlite-'))
  const sqlite = openSqlite(folder, 'test')
  onTestFinished(() => {
    sqlite.close()
    rmSync(folder, { recursive: true })
  })
  return sqlite
}

/** The parts of a Platform for keys, over a real store. @param clock milliseconds since 1970 */
export function testKeys(rootKey: string, clock: { ms: number } = { ms: 0 }) {
  const wallClock = () => clock.ms
  const keyStore = new KeyRegistry(testSqlite(), wallClock)
  const keys = createApiKeys({ rootKey, source: localKeySource(keyStore), wallClock })
  return { keys, keyStore, wallClock, revocationCutsStreams: false }
}

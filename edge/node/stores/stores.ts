import { join } from 'node:path'
import { ConfigError } from '../../../shared/node/settings/environment.ts'
import { isSqliteDamage } from '../../../shared/node/files/sqlite-errors.ts'
import { stateFolderAdvice } from '../../../shared/node/files/state-folder.ts'
import { AnswerRegister } from '../../idempotency/answer-register.ts'
import { KeyRegistry } from '../../keys/key-registry.ts'
import { KeyMeter } from '../../limits/key-meter.ts'
import type { Sql } from '../../storage/sql.ts'
import { ProcessMark } from './process-mark.ts'
import { openSqlite } from './sqlite.ts'

/** What is lost with each database. */
const contents = {
  keys: 'all API keys but the root key',
  usage: 'what keys have used',
  answers: 'the answers kept for an Idempotency-Key',
}

/**
 * The stores of the edge on Node, in `stateDir`/edge. Other processes may use them at the same time; calls left
 * behind by ended ones count as over.
 * @throws {ConfigError} naming the unusable file, and what to do about it
 */
export function openStores(stateDir: string, wallClock: () => number) {
  const folder = join(stateDir, 'edge')
  const mark = explained(folder, () => new ProcessMark(join(folder, 'processes')))
  const isGone = (owner: string) => mark.isGone(owner)
  const keyStore = openStore(folder, 'keys', (sql) => new KeyRegistry(sql, wallClock))
  const keyMeter = openStore(folder, 'usage', (sql) => {
    const meter = new KeyMeter(sql, mark.id)
    meter.abandonCalls(isGone, wallClock())
    return meter
  })
  const answers = openStore(folder, 'answers', (sql) => {
    const register = new AnswerRegister(sql, wallClock, mark.id)
    register.abandonRuns(isGone)
    return register
  })
  return { keyStore, keyMeter, answers }
}

function openStore<Store>(
  folder: string,
  name: keyof typeof contents,
  open: (sql: Sql) => Store,
): Store {
  const path = join(folder, `${name}.db`)
  return explained(
    path,
    () => open(openSqlite(folder, name)),
    `${path} is damaged. Put a backup in its place, with no ${name}.db-wal and ${name}.db-shm beside it; or move it away to start without ${contents[name]}.`,
  )
}

function explained<Value>(path: string, open: () => Value, ofDamage = ''): Value {
  try {
    return open()
  } catch (cause) {
    if (isSqliteDamage(cause)) throw new ConfigError(ofDamage)
    const { code, message } = cause as Error & { code?: string }
    const isFile = code?.startsWith('E') === true
    if (!isFile) throw cause
    const reason = code === 'ERR_SQLITE_ERROR' ? message : code
    throw new ConfigError(`Cannot use ${path} (${reason}). ${stateFolderAdvice}`)
  }
}

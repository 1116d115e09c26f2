import { openCopy, sealCopy, type KeyCopy } from './key-copy.ts'
import type { KeyRecord } from './key-record.ts'
import type { LogLine } from '../../shared/log/log-line.ts'
import { withinTime } from '../../shared/async/within-time.ts'

/** The KV namespace with the copies: near every isolate, but a minute or more behind. */
export interface CopyNamespace {
  get(name: string, options?: { readonly cacheTtl: number }): Promise<string | null>
  put(name: string, text: string): Promise<void>
  delete(name: string): Promise<void>
}

/** Seconds a location caches what it read, the minimum that KV allows. Outdated copies are recognised, not trusted. */
const cacheSeconds = 60

/** Milliseconds; the authority itself is hardly further away. */
const readTimeoutMs = 500

/**
 * Milliseconds between two repairs of one copy: while a write propagates around the world, copies appear to be
 * missing.
 */
const repairPauseMs = 60_000

/** Repairs remembered: a few hundred kilobytes. */
const maxRepairs = 10_000

/** @returns undefined when there is no copy, or none that can be trusted; never rejects */
export type ReadCopy = (id: string, checkSecret: string) => Promise<KeyCopy | undefined>

type Log = (line: LogLine) => void

/** Reads copies for an isolate. @param log called once for each kind of problem */
export function copyReader(namespace: CopyNamespace, log: Log): ReadCopy {
  const report = onceForEachKind(log)
  return async (id, checkSecret) => {
    try {
      const late = `KV did not answer within ${readTimeoutMs} ms`
      const reading = namespace.get(nameOf(id), { cacheTtl: cacheSeconds })
      const sealed = await withinTime(reading, readTimeoutMs, late)
      if (sealed === null) return undefined
      const copy = await openCopy(sealed, id, checkSecret)
      if (copy === undefined) report('is not genuine', id, null)
      return copy
    } catch (error) {
      report('cannot be read', id, String(error))
      return undefined
    }
  }
}

interface WriterParts {
  readonly namespace: CopyNamespace
  readonly checkSecret: string
  /** Milliseconds. */
  readonly now: () => number
  /** Called once for each kind of problem. */
  readonly log: Log
}

/** Writes copies, for the authority. A failed write leaves an old copy or none, which is noticed on reading. */
export class CopyWriter {
  readonly #parts: WriterParts
  readonly #report: Report
  /** When the copy of a key was last written. */
  readonly #writtenAt = new Map<string, number>()

  constructor(parts: WriterParts) {
    this.#parts = parts
    this.#report = onceForEachKind(parts.log)
  }

  async write(record: KeyRecord, asOf: number): Promise<void> {
    const { namespace, checkSecret } = this.#parts
    this.#noteWrite(record.id)
    await this.#attempt(record.id, async () => {
      await namespace.put(nameOf(record.id), await sealCopy({ record, asOf }, checkSecret))
    })
  }

  /** Rewrites a copy that a reader found missing or outdated, but not too often. */
  async repair(record: KeyRecord, asOf: number): Promise<void> {
    const age = this.#parts.now() - (this.#writtenAt.get(record.id) ?? -Infinity)
    if (age >= 0 && age < repairPauseMs) return
    await this.write(record, asOf)
  }

  async remove(id: string): Promise<void> {
    await this.#attempt(id, () => this.#parts.namespace.delete(nameOf(id)))
  }

  #noteWrite(id: string): void {
    this.#writtenAt.delete(id)
    this.#writtenAt.set(id, this.#parts.now())
    const [oldest] = this.#writtenAt.keys()
    if (this.#writtenAt.size > maxRepairs && oldest !== undefined) this.#writtenAt.delete(oldest)
  }

  async #attempt(id: string, action: () => Promise<void>): Promise<void> {
    try {
      await action()
    } catch (error) {
      this.#report('cannot be written', id, String(error))
    }
  }
}

function nameOf(id: string): string {
  return `key:${id}`
}

type CopyProblem = 'cannot be read' | 'is not genuine' | 'cannot be written'
type Report = (problem: CopyProblem, keyId: string, detail: string | null) => void

function onceForEachKind(log: Log): Report {
  const logged = new Set<CopyProblem>()
  return (problem, keyId, detail) => {
    if (logged.has(problem)) return
    logged.add(problem)
    log({ level: 'error', message: `The copy of a key ${problem}`, key_id: keyId, detail })
  }
}

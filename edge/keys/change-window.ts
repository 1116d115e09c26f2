import type { SyncReply } from './key-store.ts'

/** Changes remembered: twice what one answer tells, and some 100 KB. */
const maxChanges = 2_000

/**
 * Which keys changed lately, as far as an isolate has been told: all changes after one version of the authority and up
 * to another. A record read anywhere at a version in between is still true if its key is not among them.
 */
export class ChangeWindow {
  /** Version of the latest change of each key, oldest first. */
  readonly #changes = new Map<string, number>()
  #since = 0
  #version = 0

  /** Everything up to here is accounted for. */
  get version(): number {
    return this.#version
  }

  /**
   * Takes over what an answer tells. Answers may come in another order than their questions went.
   * @param asked the version the question named
   * @returns ids whose records may be outdated; undefined for all
   */
  learn(reply: SyncReply, asked: number): readonly string[] | undefined {
    // The store was set back to an earlier state; its versions count from there.
    const isSetBack = reply.version < asked
    if (isSetBack) this.#changes.clear()
    const isGap = isSetBack || reply.since > this.#version
    if (isGap) this.#since = reply.since
    this.#version = isGap ? reply.version : Math.max(this.#version, reply.version)
    for (const { id, version } of reply.changed) this.note(id, version)
    return isGap ? undefined : reply.changed.map(({ id }) => id)
  }

  /** A change heard of outside of an answer. */
  note(id: string, version: number): void {
    const latest = Math.max(version, this.#changes.get(id) ?? 0)
    this.#changes.delete(id)
    this.#changes.set(id, latest)
    const [oldest] = this.#changes
    if (this.#changes.size <= maxChanges || oldest === undefined) return
    this.#changes.delete(oldest[0])
    this.#since = Math.max(this.#since, oldest[1])
  }

  /** Whether the record of `id` is as it was at `version` of the authority, as far as is known here. */
  isCurrent(id: string, version: number): boolean {
    if (version < this.#since || version > this.#version) return false
    return (this.#changes.get(id) ?? 0) <= version
  }
}

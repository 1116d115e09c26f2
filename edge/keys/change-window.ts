import type { SyncReply } from './key-store.ts'

/** Changes remembered: twice what one answer reports, and about 100 KB. */
const maxChanges = 2_000

/**
 * The keys known to have changed recently: all changes after one version of the authority and up to another. A record
 * read anywhere at a version in between is still current if its key is not among them.
 */
export class ChangeWindow {
  /** Version of the latest change of each key, oldest first. */
  readonly #changes = new Map<string, number>()
  #since = 0
  #version = 0

  /** All changes up to this version are known. */
  get version(): number {
    return this.#version
  }

  /**
   * Adds the changes reported by an answer. Answers may arrive in a different order than their requests were sent.
   * @param asked the version named in the request
   * @returns ids whose records may be outdated; undefined for all
   */
  learn(reply: SyncReply, asked: number): readonly string[] | undefined {
    // The store was restored to an earlier state, from which its versions continue.
    const isSetBack = reply.version < asked
    if (isSetBack) this.#changes.clear()
    const isGap = isSetBack || reply.since > this.#version
    if (isGap) this.#since = reply.since
    this.#version = isGap ? reply.version : Math.max(this.#version, reply.version)
    for (const { id, version } of reply.changed) this.note(id, version)
    return isGap ? undefined : reply.changed.map(({ id }) => id)
  }

  /** Notes a change learned of in another way. */
  note(id: string, version: number): void {
    const latest = Math.max(version, this.#changes.get(id) ?? 0)
    this.#changes.delete(id)
    this.#changes.set(id, latest)
    const [oldest] = this.#changes
    if (this.#changes.size <= maxChanges || oldest === undefined) return
    this.#changes.delete(oldest[0])
    this.#since = Math.max(this.#since, oldest[1])
  }

  /** Whether the record of `id` is unchanged since `version` of the authority, as far as is known here. */
  isCurrent(id: string, version: number): boolean {
    if (version < this.#since || version > this.#version) return false
    return (this.#changes.get(id) ?? 0) <= version
  }
}

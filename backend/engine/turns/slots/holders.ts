import type { Sequence } from '../../jobs/sequence.ts'
import type { CacheMemory, SlotChanges } from '../../memory/cache-memory.ts'

interface HoldersOptions {
  /** The most sequences that may hold a slot. */
  readonly count: number
  readonly memory: CacheMemory
  /** Whether rows of answers are kept for prompts that continue from there. */
  readonly keepAnswers: boolean
}

/**
 * The sequences that hold a slot, and those that gave way in the middle of their work. The latter keep their slot's
 * memory until it is needed elsewhere; until then continuing costs nothing.
 */
export class Holders {
  readonly #options: HoldersOptions
  #running: Sequence[] = []
  #paused: Sequence[] = []
  #pauses = 0
  /** The turn in which a sequence got its slot, or gave way. */
  readonly #since = new WeakMap<Sequence, number>()

  constructor(options: HoldersOptions) {
    this.#options = options
  }

  /** Sequences that hold a slot, the longest-held first. */
  get running(): readonly Sequence[] {
    return this.#running
  }

  /** Sequences that gave way, the longest-waiting first. */
  get paused(): readonly Sequence[] {
    return this.#paused
  }

  /** How often a running sequence has given way. */
  get pauses(): number {
    return this.#pauses
  }

  /** Number of free slots. */
  get free(): number {
    return this.#options.count - this.#running.length
  }

  /** Number of a tenant's running sequences. */
  countOf(tenant: string): number {
    return this.#running.filter((sequence) => sequence.tenant === tenant).length
  }

  /** Turns since a sequence got its slot, or gave way. */
  turnsOf(sequence: Sequence, turn: number): number {
    return turn - (this.#since.get(sequence) ?? turn)
  }

  /** Whether there is memory for a sequence to begin or continue, now or after changes. */
  hasRoomFor(sequence: Sequence, changes: SlotChanges = {}): boolean {
    const { memory } = this.#options
    return sequence.holdsSlot
      ? memory.canTakeUp(sequence.slot, changes)
      : memory.hasRoomFor(sequence, changes)
  }

  /** Gives a slot to a sequence for which there is room. */
  begin(sequence: Sequence, turn: number): void {
    const { memory } = this.#options
    this.#paused = this.#paused.filter((other) => other !== sequence)
    if (sequence.holdsSlot) {
      memory.takeUp(sequence.slot)
      sequence.resume()
    } else {
      const { slot, restoredTokens } = memory.open(sequence)
      sequence.start(slot, restoredTokens)
    }
    this.#add(sequence, turn)
  }

  /** Gives a slot to a choice whose prompt another one has read. */
  beginChoice(choice: Sequence, reader: Sequence, turn: number): void {
    choice.join(this.#options.memory.fork(reader.slot, choice))
    this.#add(choice, turn)
  }

  pause(sequence: Sequence, turn: number): void {
    this.#options.memory.setAside(sequence.slot)
    sequence.pause()
    this.#pauses += 1
    this.#running = this.#running.filter((other) => other !== sequence)
    this.#paused.push(sequence)
    this.#since.set(sequence, turn)
  }

  /** Takes the slot's memory from a paused sequence; whatever fits stays in the prefix cache. */
  takeRows(sequence: Sequence): void {
    const { memory } = this.#options
    const { slot } = sequence
    memory.remember(slot, sequence)
    memory.close(slot)
    sequence.loseSlot()
  }

  /** Takes slots back from sequences that have ended, or passes them on to further choices of their jobs. */
  removeEnded(turn: number): void {
    const orphans: Sequence[] = []
    const replaced = (sequence: Sequence): Sequence | undefined => {
      if (sequence.status !== 'ended') return sequence
      const { heir } = sequence.job
      if (heir !== undefined && sequence.holdsPrompt) return this.#handOn(sequence, heir, turn)
      if (sequence.holdsSlot) this.#close(sequence)
      if (heir !== undefined) orphans.push(heir)
      return undefined
    }
    this.#running = this.#running.flatMap((sequence) => replaced(sequence) ?? [])
    this.#paused = this.#paused.flatMap((sequence) => {
      const heir = replaced(sequence)
      if (heir !== undefined && heir !== sequence) heir.pause()
      return heir ?? []
    })
    // The prompt's rows are gone, so these choices read it themselves.
    for (const orphan of orphans) orphan.pause()
    this.#paused.push(...orphans)
  }

  #handOn(ended: Sequence, heir: Sequence, turn: number): Sequence {
    const { slot } = ended
    this.#rememberAnswer(ended)
    this.#options.memory.inherit(slot, heir)
    heir.join(slot)
    this.#since.set(heir, turn)
    return heir
  }

  #close(ended: Sequence): void {
    this.#rememberAnswer(ended)
    this.#options.memory.close(ended.slot)
  }

  #rememberAnswer(ended: Sequence): void {
    const { memory, keepAnswers } = this.#options
    if (ended.finished && keepAnswers) memory.remember(ended.slot, ended)
  }

  #add(sequence: Sequence, turn: number): void {
    this.#running.push(sequence)
    this.#since.set(sequence, turn)
  }
}

import type { Model, SlotId } from '../../model/model.ts'
import type { CacheLimits } from './cache-limits.ts'
import { blockTokens } from './content-hash.ts'
import { allCanEnd, type Share } from './growth.ts'
import { PrefixCache } from './prefix-cache.ts'

/** What the memory needs to know about a sequence. */
interface Holder {
  /** Number of tokens it reads first. */
  readonly tokensToRead: number
  /** Number of tokens in its slot. */
  readonly cachedTokens: number
  /** The most tokens it may come to hold. */
  readonly claimTokens: number
  /** Keys of the whole blocks among the tokens it reads, or among those in its slot if they are more. */
  blockKeys(): readonly string[]
}

/** Hypothetical changes to the slots: some running ones set aside, some closed. */
export interface SlotChanges {
  readonly aside?: readonly SlotId[] | undefined
  readonly closed?: readonly SlotId[] | undefined
}

/**
 * Hands out cache memory: `limitTokens` for slots and prefix cache together. A slot gets its prompt's memory when it
 * is opened, and the answer's bit by bit, as long as all running sequences can still reach their ends. The prefix
 * cache uses what slots leave, and makes room for them. Slots of sequences that gave way are set aside: they keep
 * their memory, but it is not counted on.
 */
export class CacheMemory {
  readonly limitTokens: number
  readonly #model: Model
  readonly #prefixLimit: number
  readonly #restoreUnit: number
  readonly #prefixes: PrefixCache
  readonly #shares = new Map<SlotId, Share>()
  readonly #aside = new Set<SlotId>()

  /** @param restoreUnit a restored prefix is a multiple of this many tokens; itself a multiple of `blockTokens` */
  constructor(model: Model, { kvTokens, prefixTokens }: CacheLimits, restoreUnit = blockTokens) {
    const { slots, contextTokens, slotGrowthTokens: unit } = model.info
    const needed = slots * Math.ceil(contextTokens / unit) * unit
    this.limitTokens = Math.floor((kvTokens ?? needed) / unit) * unit
    this.#prefixLimit = prefixTokens ?? 0
    this.#restoreUnit = restoreUnit
    this.#model = model
    this.#prefixes = new PrefixCache(model)
  }

  /** Memory granted to open slots, in tokens. */
  get slotTokens(): number {
    let sum = 0
    for (const { held } of this.#shares.values()) sum += held
    return sum
  }

  /** Memory of the prefix cache, in tokens. */
  get prefixTokens(): number {
    return this.#prefixes.tokens
  }

  /** Whether there is memory to open a slot for a sequence, now or after changes. */
  hasRoomFor(holder: Holder, changes: SlotChanges = {}): boolean {
    return this.#fits(this.#firstShare(holder), changes)
  }

  /** Whether the sequence of a slot that is set aside can continue, now or after changes. */
  canTakeUp(slot: SlotId, { aside, closed = [] }: SlotChanges = {}): boolean {
    return this.#fits(this.#shareOf(slot), { aside, closed: [...closed, slot] })
  }

  setAside(slot: SlotId): void {
    this.#shareOf(slot)
    this.#aside.add(slot)
  }

  takeUp(slot: SlotId): void {
    this.#aside.delete(slot)
  }

  /** Opens a slot with the rows that the prefix cache has of the prompt; its last token is always left to compute. */
  open(holder: Holder): { slot: SlotId; restoredTokens: number } {
    const slot = this.#model.openSlot()
    const keys = this.#promptKeys(holder)
    this.#prefixes.touch(keys)
    this.#set(slot, this.#firstShare(holder))
    const units = Math.floor(this.#prefixes.tokensOf(keys) / this.#restoreUnit)
    const restoredTokens = units * this.#restoreUnit
    this.#prefixes.restore(slot, keys.slice(0, restoredTokens / blockTokens))
    return { slot, restoredTokens }
  }

  /** Opens a slot with a copy of another one's prompt. */
  fork(source: SlotId, holder: Holder): SlotId {
    const share = this.#firstShare(holder)
    this.#prefixes.shrink(this.limitTokens - this.slotTokens - share.held)
    const slot = this.#model.forkSlot(source, holder.tokensToRead)
    this.#set(slot, share)
    return slot
  }

  /** Reduces a slot to the prompt, for another choice of the same request. */
  inherit(slot: SlotId, heir: Holder): void {
    this.#model.truncateSlot(slot, heir.tokensToRead)
    this.#set(slot, this.#firstShare(heir))
  }

  /** @returns whether the slot may hold `tokens` now; if not, it has to wait */
  grow(slot: SlotId, tokens: number): boolean {
    const share = this.#shareOf(slot)
    const grown = { ...share, held: Math.max(share.held, this.#rounded(tokens)) }
    if (grown.held === share.held) return true
    if (!this.#fits(grown, { closed: [slot] })) return false
    this.#set(slot, grown)
    return true
  }

  /** Copies the whole blocks of a slot's rows into the prefix cache. */
  remember(slot: SlotId, holder: Holder): void {
    if (this.#prefixLimit === 0) return
    const room = this.limitTokens - this.slotTokens
    const keys = holder.blockKeys().slice(0, Math.floor(holder.cachedTokens / blockTokens))
    this.#prefixes.store(slot, keys, Math.min(this.#prefixLimit, room))
  }

  close(slot: SlotId): void {
    this.#shareOf(slot)
    this.#model.closeSlot(slot)
    this.#shares.delete(slot)
    this.#aside.delete(slot)
  }

  /**
   * Whether all running sequences can reach their ends alongside one more share, using what those set aside do not
   * hold.
   */
  #fits(share: Share, { aside = [], closed = [] }: SlotChanges): boolean {
    const running = [share]
    let limit = this.limitTokens
    for (const [slot, own] of this.#shares) {
      if (closed.includes(slot)) continue
      if (this.#aside.has(slot) || aside.includes(slot)) limit -= own.held
      else running.push(own)
    }
    return allCanEnd(running, limit)
  }

  #promptKeys(holder: Holder): readonly string[] {
    if (this.#prefixLimit === 0) return []
    return holder.blockKeys().slice(0, Math.floor((holder.tokensToRead - 1) / blockTokens))
  }

  #firstShare({ tokensToRead, claimTokens }: Holder): Share {
    return { held: this.#rounded(tokensToRead), claim: this.#rounded(claimTokens) }
  }

  #rounded(tokens: number): number {
    const { slotGrowthTokens: unit } = this.#model.info
    return Math.ceil(tokens / unit) * unit
  }

  #set(slot: SlotId, share: Share): void {
    this.#shares.set(slot, share)
    this.#prefixes.shrink(this.limitTokens - this.slotTokens)
  }

  #shareOf(slot: SlotId): Share {
    const share = this.#shares.get(slot)
    if (share === undefined) throw new RangeError('The slot holds no memory')
    return share
  }
}

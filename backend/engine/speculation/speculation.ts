import type { SlotId } from '../../model/model.ts'
import type { SpeculationCounts } from '../job.ts'
import { draftLengths } from './draft-lengths.ts'
import { DraftHistory, type DraftRecord } from './draft-record.ts'
import { PromptLookup } from './prompt-lookup.ts'

/**
 * Rows up to which a step takes about as long as one with a single row, on a graphics card: there it waits for the weights.
 * With as many streams, nothing is drafted.
 */
const mostRows = 8

/** A sequence that can have a draft of its next tokens. */
export interface Drafted {
  readonly slot: SlotId
  /** Tokens in its slot: all it has but the last. */
  readonly cachedTokens: number
  /** Tokens that its answer may still have. */
  readonly tokensLeft: number
  /** Ids from here upwards are never sampled, or end the answer. */
  readonly controlIdsFrom: number
  /** The tokens it has, prompt and answer, from the one at `position` on. */
  idsFrom(position: number): Iterable<number>
}

interface SpeculationOptions {
  /** The most tokens of a step. */
  readonly stepTokenBudget: number
  /** @returns whether the slot may hold this many tokens */
  readonly mayHold: (slot: SlotId, tokens: number) => boolean
}

interface Known {
  readonly lookup: PromptLookup
  readonly record: DraftRecord
}

/** Those of an engine that drafts nothing. */
export const noSpeculation: SpeculationCounts = { draftedTokens: 0, acceptedTokens: 0 }

/**
 * Drafts the next tokens of streams, as many as are expected to pay. A step verifies them: it computes the logits before
 * each, from which tokens are sampled as always, one by one, until one differs from the draft.
 */
export class Speculation<Stream extends Drafted> {
  readonly #options: SpeculationOptions
  readonly #rows: number
  readonly #history = new DraftHistory()
  readonly #known = new WeakMap<Stream, Known>()
  #counts = noSpeculation

  constructor(options: SpeculationOptions) {
    this.#options = options
    this.#rows = Math.min(mostRows, options.stepTokenBudget)
  }

  get counts(): SpeculationCounts {
    return this.#counts
  }

  /**
   * Drafts for a step of these streams and nothing else.
   * @param costOf time of such a step with this many rows; 0 while unknown
   * @returns one for each stream, undefined where there is none
   */
  draft(
    streams: readonly Stream[],
    costOf: (rows: number) => number,
  ): readonly (Int32Array | undefined)[] {
    const room = this.#rows - streams.length
    if (room < 1) return streams.map(() => undefined)
    const drafts = streams.map((stream) => this.#draftOf(stream, room))
    const lengths = this.#lengths(streams, drafts, costOf)
    return streams.map((stream, i) => {
      const length = lengths[i]!
      if (length === 0) return undefined
      const mayHold = this.#options.mayHold(stream.slot, stream.cachedTokens + 1 + length)
      return mayHold ? drafts[i]!.subarray(0, length) : undefined
    })
  }

  /** @param accepted how many of the drafted tokens, at least one, the stream has sampled */
  verified(stream: Stream, drafted: number, accepted: number): void {
    this.#knownOf(stream).record.verified(drafted, accepted)
    const { draftedTokens, acceptedTokens } = this.#counts
    this.#counts = {
      draftedTokens: draftedTokens + drafted,
      acceptedTokens: acceptedTokens + accepted,
    }
  }

  #draftOf(stream: Stream, room: number): Int32Array {
    const { lookup } = this.#knownOf(stream)
    lookup.add(stream.idsFrom(lookup.length))
    // The last token of an answer is never run.
    const draft = lookup.next(Math.min(room, stream.tokensLeft - 1))
    const end = draft.findIndex((id) => id >= stream.controlIdsFrom)
    return end < 0 ? draft : draft.subarray(0, end)
  }

  #lengths(
    streams: readonly Stream[],
    drafts: readonly Int32Array[],
    costOf: (rows: number) => number,
  ): readonly number[] {
    const records = streams.map((stream) => this.#knownOf(stream).record)
    const due = records.findIndex(({ isDue }, i) => isDue && drafts[i]!.length > 0)
    if (due >= 0) return drafts.map(({ length }, i) => (i === due ? length : 0))
    const draftable = records.map(({ acceptance }, i) => ({ acceptance, most: drafts[i]!.length }))
    const lengths = draftLengths(draftable, this.#rows, costOf)
    lengths.forEach((length, i) => {
      if (length === 0 && drafts[i]!.length > 0) records[i]!.passOver()
    })
    return lengths
  }

  #knownOf(stream: Stream): Known {
    let known = this.#known.get(stream)
    if (known === undefined) {
      known = { lookup: new PromptLookup(), record: this.#history.open() }
      this.#known.set(stream, known)
    }
    return known
  }
}

import type { BenchRow } from '../measure.ts'
import { benchDecode, benchPrefill } from '../text.ts'
import type { CardBench } from './open-card-bench.ts'
import { benchStep } from './profile-steps.ts'

/** Cached tokens of each sequence that decodes; fewer where reading them would take minutes. */
const usualContext = { hardware: 512, software: 4 }

/** Timed steps of a row. */
const steps = { hardware: 36, software: 2 }

/** Rounds of prompts, besides one that warms up. */
const rounds = { hardware: 3, software: 1 }

/** The longest draft that the engine has verified (speculation.ts). */
const mostDrafted = 7

/** Tokens of a prompt that one run reads at most (run-plan.ts). */
const chunkTokens = 256

/** As few as are read in a run of their own. */
const softwareChunk = 65

const kindOf = ({ isSoftware }: CardBench) => (isSoftware ? 'software' : 'hardware')

export async function* decodeRows(bench: CardBench): AsyncGenerator<BenchRow> {
  const kind = kindOf(bench)
  for (const sequences of [1, 2, 4, 8, 16, 32].filter((n) => n <= bench.slots)) {
    yield await benchDecode(bench, { sequences, context: usualContext[kind] }, steps[kind])
  }
  const drafting = { sequences: 1, context: usualContext[kind], drafted: mostDrafted }
  yield await benchDecode(bench, drafting, steps[kind])
}

/** One sequence with more and more cached tokens. */
export async function* contextRows(
  bench: CardBench,
  contexts: readonly number[],
): AsyncGenerator<BenchRow> {
  for (const context of contexts) {
    yield await benchDecode(bench, { sequences: 1, context }, steps[kindOf(bench)])
  }
}

export function prefillRows(bench: CardBench, prompts: readonly number[]): Promise<BenchRow[]> {
  const alone = prompts.map((tokens) => ({ tokens, past: 0 }))
  return benchPrefill(bench, alone, rounds[kindOf(bench)])
}

/** What steps of each kind are made of. */
export async function* stepRows({ card, slots, isSoftware }: CardBench): AsyncGenerator<BenchRow> {
  yield* await benchStep(card, { name: 'step of 1 sequence', sequences: 1, tokens: 1 })
  yield* await benchStep(card, { name: `step of ${slots} sequences`, sequences: slots, tokens: 1 })
  const tokens = isSoftware ? softwareChunk : chunkTokens
  const chunk = { name: `${tokens} tokens of a prompt`, sequences: 1, tokens }
  yield* await benchStep(card, chunk)
}

import { pieceTokens } from '../../../backend/model/deepseek/device/run-plan.ts'
import type { BenchRow } from '../measure.ts'
import { benchDecode, benchPrefill } from '../text.ts'
import type { CardBench } from './open-card-bench.ts'
import type { StepKind } from './profile-steps.ts'

/** Cached tokens of each sequence that decodes; fewer where reading them would take minutes. */
const usualContext = { hardware: 512, software: 4 }

/** Timed steps of a row. */
const steps = { hardware: 36, software: 1 }

/** The longest draft that the engine has verified (speculation.ts). */
const mostDrafted = 7

const kindOf = ({ isSoftware }: CardBench) => (isSoftware ? 'software' : 'hardware')

export interface Decoding {
  readonly sequences: number
  readonly drafted: number
}

/** The decode measurements, the most informative first, since there may not be time for all. */
export function decodings(slots: number): Decoding[] {
  const plain = [1, slots, 8, 16, 4, 2, 32].filter((n) => n <= slots)
  return [
    ...[...new Set(plain)].map((sequences) => ({ sequences, drafted: 0 })),
    { sequences: 1, drafted: mostDrafted },
  ]
}

export function decodeRow(bench: CardBench, decoding: Decoding): Promise<BenchRow> {
  const kind = kindOf(bench)
  const read = { context: usualContext[kind], sharesContext: true }
  return benchDecode(bench, { ...decoding, ...read }, steps[kind])
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

/** @param rounds besides one that warms up */
export function prefillRows(
  bench: CardBench,
  prompts: readonly number[],
  rounds: number,
): Promise<BenchRow[]> {
  const alone = prompts.map((tokens) => ({ tokens, past: 0 }))
  return benchPrefill(bench, alone, rounds)
}

/** Steps of each kind whose launches and operators are profiled. */
export function profiledSteps({ slots }: Pick<CardBench, 'slots'>): StepKind[] {
  return [
    { name: 'step of 1 sequence', sequences: 1, tokens: 1 },
    { name: `step of ${slots} sequences`, sequences: slots, tokens: 1 },
    { name: `${pieceTokens} tokens of a prompt`, sequences: 1, tokens: pieceTokens },
  ]
}

/**
 * A sequence's part of a step: `count` tokens, after `past` tokens that are in the cache.
 */
interface StepPart {
  readonly past: number
  readonly count: number
}

/** Consecutive new tokens of one sequence. */
export interface Piece {
  /** Index of the sequence's part of the step. */
  readonly part: number
  /** The first of its new tokens in this run, and the number of tokens. */
  readonly from: number
  readonly count: number
}

/**
 * One run of the decoder. `chunk`: one piece as one row of the batch. `mixed`: any pieces, each of their tokens a row of its
 * own, so that streams and prompts share the run.
 */
export interface Run {
  readonly kind: 'chunk' | 'mixed'
  readonly pieces: readonly Piece[]
  /** Tokens of the longest sequence, the new ones included, rounded up. */
  readonly tableTokens: number
}

/** A longer piece of a prompt is a run of its own. As a chunk, its cached rows are gathered once, not once per token. */
const mixedTokens = 64

/** The most new tokens of a run: writing n rows compares all n² of their indices. */
const runTokens = 256

/**
 * The most cache rows that a mixed run gathers, over all of its tokens: 300 MB per layer of the real model in float16. A
 * single token may need more.
 */
const gatheredRows = 262_144

/**
 * Divides a step into runs. Pieces of one sequence run in order; within a mixed run all new rows are written before any is
 * read, so there they need not be apart.
 * @param longPieces kind of the runs for pieces that do not share one
 */
export function planRuns(parts: readonly StepPart[], longPieces: Run['kind']): Run[] {
  const alone: Run[] = []
  const rest: Piece[] = []
  parts.forEach(({ past, count }, part) => {
    let from = 0
    for (; count - from > mixedTokens; from += runTokens) {
      const piece = { part, from, count: Math.min(runTokens, count - from) }
      const tableTokens = roundedUp(past + from + piece.count)
      alone.push({ kind: longPieces, pieces: [piece], tableTokens })
    }
    if (from < count) rest.push({ part, from, count: count - from })
  })
  return [...alone, ...mixedRuns(parts, rest)]
}

/** The longest sequences first, so that runs with long tables are few. */
function mixedRuns(parts: readonly StepPart[], pieces: readonly Piece[]): Run[] {
  const end = ({ part, from, count }: Piece) => parts[part]!.past + from + count
  const runs: Run[] = []
  let run: { kind: 'mixed'; pieces: Piece[]; tableTokens: number } | undefined
  let room = 0
  for (const piece of pieces.toSorted((a, b) => end(b) - end(a))) {
    if (run === undefined || piece.count > room) {
      run = { kind: 'mixed', pieces: [], tableTokens: roundedUp(end(piece)) }
      room = Math.min(runTokens, Math.floor(gatheredRows / run.tableTokens))
      runs.push(run)
    }
    run.pieces.push(piece)
    room -= piece.count
  }
  return runs
}

/** Few different lengths, because each may have a recorded run (`RepeatedGraph`): multiples of 64, and of 256 above 1,024. */
function roundedUp(tokens: number): number {
  const unit = tokens > 1024 ? 256 : 64
  return Math.ceil(tokens / unit) * unit
}

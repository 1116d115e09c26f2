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

/** The most new tokens of one sequence in a run. A longer piece of a prompt has runs of its own, in which its cached rows are gathered once. */
export const pieceTokens = 64

/**
 * The most new tokens of a run. With all experts of the real model, 88 tokens have intermediate results of 33 MB each; from 91 to 119 they would be
 * of a size of which the provider keeps only two (buffer-sizes.ts), and every layer would take new memory for the others.
 */
const runTokens = 88

/** The most cache rows that a run gathers, over all of its tokens: 151 MB of the real model's, which the provider still reuses. */
const gatheredRows = 131_072

/**
 * The most cached tokens that a chunk attends to, over all of its tokens. For each 64 of them the provider keeps a sum of values for every head: 151 MB
 * of the real model's in all.
 */
const attendedTokens = 524_288

/**
 * Divides a step into runs. Pieces of one sequence run in order; within a mixed run all new rows are written before any is
 * read, so there they need not be apart.
 * @param longPieces kind of the runs for pieces that do not share one
 */
export function planRuns(parts: readonly StepPart[], longPieces: Run['kind']): Run[] {
  const alone: Run[] = []
  const rest: Piece[] = []
  const most = longPieces === 'chunk' ? attendedTokens : gatheredRows
  parts.forEach(({ past, count }, part) => {
    let from = 0
    while (!isShareable(past + count, count - from)) {
      const longest = roundedUp(past + Math.min(count, from + pieceTokens))
      const tokens = Math.max(1, Math.min(pieceTokens, count - from, Math.floor(most / longest)))
      const tableTokens = roundedUp(past + from + tokens)
      alone.push({ kind: longPieces, pieces: [{ part, from, count: tokens }], tableTokens })
      from += tokens
    }
    if (from < count) rest.push({ part, from, count: count - from })
  })
  return [...alone, ...mixedRuns(parts, rest)]
}

/** Whether a sequence's last new tokens may share a run, in which the cached rows are gathered for each of them. */
function isShareable(length: number, tokens: number): boolean {
  return tokens <= 1 || (tokens <= pieceTokens && tokens * roundedUp(length) <= gatheredRows)
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

import { pieceNames, routerGraph, type DecoderSource } from './piece-graphs.ts'
import { floatsOf, range, runByRows } from './row-states.ts'
import { withSession, type SessionOptions } from './with-session.ts'

/** A normed row that a feed-forward network works on, and what its result is multiplied with. */
export interface Assignment {
  readonly row: number
  readonly share: number
}

/**
 * Runs a layer's router over normed rows [rows, hidden].
 * @returns for each expert, the rows that chose it
 */
export function chooseExperts(
  source: DecoderSource,
  layer: number,
  normed: Float32Array,
  options: SessionOptions,
): Promise<Assignment[][]> {
  const { n_routed_experts, num_experts_per_tok, hidden_size, routed_scaling_factor } =
    source.config
  return withSession(routerGraph(source, layer), options, async (session) => {
    const chosen: Assignment[][] = Array.from({ length: n_routed_experts }, () => [])
    const indices = range(0, normed.length / hidden_size)
    const rows = { matrix: normed, width: hidden_size, indices }
    await runByRows(session, pieceNames.rows, rows, (outputs, some) => {
      const experts = outputs[pieceNames.experts]!.data as BigInt64Array
      const shares = floatsOf(outputs, pieceNames.shares)
      experts.forEach((expert, i) => {
        const row = some[Math.floor(i / num_experts_per_tok)]!
        chosen[Number(expert)]!.push({ row, share: shares[i]! * routed_scaling_factor })
      })
    })
    return chosen
  })
}

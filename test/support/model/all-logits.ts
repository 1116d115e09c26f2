import type { NextLogits } from '../../../backend/model/model.ts'

/** All logits [vocabSize] of each sampled row of a step. */
export async function allLogits(step: Promise<readonly NextLogits[]>): Promise<Float32Array[]> {
  const rows: Float32Array[] = []
  for (const next of await step) rows.push(await next.row())
  return rows
}

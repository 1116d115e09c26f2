import { fillRows, seedOf, type Distribution } from './random-rows.ts'

const embeddings = 'language_model.model.embed_tokens.weight'
const head = 'language_model.lm_head.weight'

/** The head answers a token with the one this many ids later. Has no common factor with 163,840. */
export const successorDistance = 40_507

/** How much of a layer's output is added to the residual stream; of a sum of 54, the token itself must remain visible. */
const branchScale = 0.5

/**
 * Rows of a tensor of random weights. Matrices keep the magnitude of what they are multiplied with, so that activations are
 * near 1 everywhere, as in a trained model. Each row of the head is that token's predecessor's embedding: the likeliest
 * continuation of a token is known (`successorDistance`), and rounding rarely changes it.
 */
export function fillTensorRows(
  target: Uint16Array,
  { name, dims, start }: { name: string; dims: readonly number[]; start: number },
): void {
  const width = dims.slice(1).reduce((product, n) => product * n, 1)
  const rows = dims[0]!
  const distribution = distributionOf(name, width)
  if (name !== head) {
    fillRows(target, { width, start, seed: seedOf(name) }, distribution)
    return
  }
  for (let from = 0, row = start; from < target.length; from += width, row++) {
    const predecessor = (row + rows - (successorDistance % rows)) % rows
    const own = target.subarray(from, from + width)
    fillRows(own, { width, start: predecessor, seed: seedOf(embeddings) }, distribution)
  }
}

function distributionOf(name: string, width: number): Distribution {
  if (name === embeddings) return { mean: 0, deviation: 1 }
  if (/norm\d?\.weight$/.test(name)) return { mean: 1, deviation: 0.1 }
  if (name.endsWith('bias')) return { mean: 0, deviation: 0.02 }
  if (name.endsWith('pos_emb.weight')) return { mean: 0, deviation: 0.5 }
  const branch = /\.(o_proj|down_proj|wo|fc1)\.weight$/.test(name) ? branchScale : 1
  return { mean: 0, deviation: branch / Math.sqrt(width) }
}

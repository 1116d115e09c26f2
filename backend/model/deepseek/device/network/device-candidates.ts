import type { GraphBuilder, Value } from '../../../../graph/graph-builder.ts'
import { reduceLogSumExp } from '../../../../graph/operators/reductions.ts'
import { gatherElements, topK } from '../../../../graph/operators/selection.ts'
import { expand, padEnd, reshape } from '../../../../graph/operators/shapes.ts'
import { candidateCount } from '../../../model.ts'
import { deviceNames } from '../device-names.ts'

/** The longest axis that ONNX Runtime's WebGPU provider sorts in one launch; the whole vocabulary would take 173. */
const span = 256

/** Below any logit. */
const noLogit = -3e38

/**
 * The largest logits of each row [R, vocab], their ids, and the logarithm of the sum: the largest of each span form spans
 * again, until one is left. Ids are float32, which is exact for any vocabulary, since integers would be gathered on the CPU.
 */
export function outputCandidates(g: GraphBuilder, logits: Value, vocab: number): void {
  const count = Math.min(candidateCount, vocab)
  const shape = g.input(deviceNames.logitsShape, 'int64', [2])
  const { values, ids, logSum } = g.scope('candidates', () => {
    const padded = inSpans(g, { values: logits, ids: allIds(g, vocab, shape), width: vocab })
    let left = padded
    for (let spans = padded.width / span; ; spans = left.width / span) {
      const winners = bestOfSpans(g, left, count)
      if (spans === 1) return { ...winners, logSum: logSumOf(g, padded) }
      left = inSpans(g, winners)
    }
  })
  g.output(deviceNames.topLogits, values, 'float32', ['samples', count])
  g.output(deviceNames.topIds, ids, 'float32', ['samples', count])
  g.output(deviceNames.logSum, logSum, 'float32', ['samples'])
}

/** Logits and their ids, both [R, width]. */
interface Ranked {
  readonly values: Value
  readonly ids: Value
  readonly width: number
}

function allIds(g: GraphBuilder, vocab: number, shape: Value): Value {
  const ids = g.float32s(
    Array.from({ length: vocab }, (_, id) => id),
    [1, vocab],
  )
  return expand(g, ids, shape)
}

/** Filled up to whole spans. */
function inSpans(g: GraphBuilder, { values, ids, width }: Ranked): Ranked {
  const missing = Math.ceil(width / span) * span - width
  if (missing === 0) return { values, ids, width }
  return {
    values: padEnd(g, values, [0, missing], noLogit),
    ids: padEnd(g, ids, [0, missing], 0),
    width: width + missing,
  }
}

function bestOfSpans(g: GraphBuilder, { values, ids, width }: Ranked, count: number): Ranked {
  const rows = (x: Value) => reshape(g, x, [-1, span])
  const best = topK(g, rows(values), count)
  const left = (width / span) * count
  return {
    values: reshape(g, best.values, [-1, left]),
    ids: reshape(g, gatherElements(g, rows(ids), best.indices, 1), [-1, left]),
    width: left,
  }
}

function logSumOf(g: GraphBuilder, { values, width }: Ranked): Value {
  const bySpan = reshape(g, values, [-1, width / span, span])
  return reduceLogSumExp(g, reduceLogSumExp(g, bySpan))
}

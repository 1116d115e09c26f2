import { open, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import type { Checkpoint } from '../checkpoint/checkpoint.ts'
import { readExactly } from '../checkpoint/safetensors.ts'
import type { BuiltGraph } from '../graph/graph-builder.ts'
import type { ExternalInitializer } from '../graph/onnx-proto.ts'
import { maxLevel, zeroPoint } from '../graph/quantize.ts'
import { rowCount, type WeightSource } from '../graph/weight-source.ts'
import type { ConvertedModel } from '../model/convert/converted-model.ts'

export interface Comparison {
  /** Number of weights inspected, and number of their rows. */
  readonly weights: number
  readonly rows: number
  /** Largest difference from the checkpoint, in quantisation steps of 8 bits; rounding causes half a step. */
  readonly worst: { readonly steps: number; readonly name: string }
}

/** Layers whose weights are exactly a tensor of the checkpoint: name in the graph -> name in the checkpoint. */
const sameWeights: readonly (readonly [RegExp, string])[] = [
  [/^\/lm_head\/weight$/, 'language_model.lm_head.weight'],
  [/^\/(layers\.\d+)\/attention\/(o_proj)\/weight$/, 'language_model.model.$1.self_attn.$2.weight'],
  [/^\/(layers\.\d+)\/mlp\/down\/weight$/, 'language_model.model.$1.mlp.down_proj.weight'],
  [
    /^\/(layers\.\d+)\/mlp\/(experts)\/(\d+)\/down\/weight$/,
    'language_model.model.$1.mlp.$2.$3.down_proj.weight',
  ],
  [/^\/(linear_\d)\/weight$/, 'multi_modal_projector.$1.weight'],
  [/^\/then\/(blocks\.\d+)\/(w\w+|mlp\.\w+)\/weight$/, 'vision_tower.encoder.$1.$2.weight'],
]

/** Rounding causes at most half a step, and float32 arithmetic slightly more. */
export const mostSteps = 0.501

/**
 * Compares the first, a middle and the last row of every weight that the checkpoint has as such.
 * @param checkpoint balanced as it was for the conversion
 */
export async function compareWeights(
  { folder, graphs }: ConvertedModel,
  checkpoint: Checkpoint,
): Promise<Comparison> {
  let [weights, rows] = [0, 0]
  let worst = { steps: 0, name: '' }
  for (const [fileName, graph] of Object.entries(graphs)) {
    const file = await open(join(folder, fileName), 'r')
    try {
      for (const { stored, scales, original } of pairsOf(graph)) {
        const source = checkpoint.tensor(original)
        weights += 1
        for (const row of sampleRows(rowCount(source))) {
          rows += 1
          const steps = await differenceOf({ file, fileName, stored, scales }, source, row)
          if (steps > worst.steps || Number.isNaN(steps)) worst = { steps, name: original }
        }
      }
    } finally {
      await file.close()
    }
  }
  return { weights, rows, worst }
}

interface Pair {
  readonly stored: ExternalInitializer
  readonly scales: ExternalInitializer | undefined
  readonly original: string
}

function pairsOf({ spec }: BuiltGraph): Pair[] {
  const external = spec.initializers.filter((tensor) => 'offset' in tensor)
  const byName = new Map(external.map((tensor) => [tensor.name, tensor]))
  return external.flatMap((stored) => {
    const rule = sameWeights.find(([pattern]) => pattern.test(stored.name))
    if (rule === undefined) return []
    const scales = byName.get(stored.name.replace(/weight$/, 'scales'))
    return [{ stored, scales, original: stored.name.replace(rule[0], rule[1]) }]
  })
}

function sampleRows(count: number): readonly number[] {
  return [...new Set([0, Math.floor(count / 2), count - 1])]
}

interface StoredWeight extends Omit<Pair, 'original'> {
  readonly file: FileHandle
  readonly fileName: string
}

/** Largest difference in a row, in quantisation steps of the checkpoint's weights; for float weights, 0 or NaN. */
async function differenceOf(
  weight: StoredWeight,
  source: WeightSource,
  row: number,
): Promise<number> {
  const expected = await source.readRows(row, 1)
  const { values, blockSize } = await readRow(weight, expected.length, rowCount(source), row)
  let largest = 0
  for (let start = 0; start < expected.length; start += blockSize) {
    const block = expected.subarray(start, start + blockSize)
    const step = block.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / maxLevel
    block.forEach((value, i) => {
      const difference = Math.abs(value - values(start + i))
      if (difference > 0) largest = Math.max(largest, weight.scales ? difference / step : NaN)
    })
  }
  return largest
}

interface StoredRow {
  /** The weight of input i. */
  readonly values: (i: number) => number
  /** Number of inputs that share a scale. */
  readonly blockSize: number
}

/**
 * See `quantizeInChunks` for weights in blocks, [rows, blocks, size], and `rowProduct` for [in, rows] with one scale
 * per row.
 */
async function readRow(
  { file, fileName, stored, scales }: StoredWeight,
  width: number,
  rows: number,
  row: number,
): Promise<StoredRow> {
  const read = (tensor: ExternalInitializer, at: number, length: number) =>
    readExactly(file, tensor.offset + at, length, fileName)
  if (scales === undefined) {
    const exact = floatsOf(await read(stored, row * width * 4, width * 4))
    return { values: (i) => exact[i]!, blockSize: width }
  }
  const scalesPerRow = scales.byteLength / 4 / rows
  const scale = floatsOf(await read(scales, row * scalesPerRow * 4, scalesPerRow * 4))
  if (stored.type === 'int8') {
    const all = new Int8Array((await read(stored, 0, stored.byteLength)).buffer)
    return { values: (i) => all[i * rows + row]! * scale[0]!, blockSize: width }
  }
  const blockSize = stored.dims[2]!
  const rowBytes = scalesPerRow * blockSize
  const levels = await read(stored, row * rowBytes, rowBytes)
  return {
    values: (i) => (levels[i]! - zeroPoint) * scale[Math.floor(i / blockSize)]!,
    blockSize,
  }
}

function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice().buffer)
}

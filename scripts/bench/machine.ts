import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Tensor } from 'onnxruntime-node'
import { GraphBuilder, type Value } from '../../backend/graph/graph-builder.ts'
import { linear } from '../../backend/graph/layers.ts'
import { encodeModel } from '../../backend/graph/onnx-proto.ts'
import type { WeightSource } from '../../backend/graph/weight-source.ts'
import { writeWeights } from '../../backend/graph/write-graph.ts'
import { createSession } from '../../backend/model/sessions.ts'
import { measure } from './measure.ts'

/** What the machine can do right now, measured through the same runtime and threads as the model. */
export interface MachineLimits {
  /** 10^9 bytes per second read from memory. */
  readonly gigabytesPerSecond: number
  /** 10^9 float32 operations per second. */
  readonly gigaflops: number
}

/** 1 GiB of float32 weights in eight products: far more than any cache holds. */
const streamWidth = 4096
const streamParts = 16
/** A square product large enough for the kernels' best speed. */
const squareSize = 2048

export async function measureMachine(threads: number): Promise<MachineLimits> {
  const folder = await mkdtemp(path.join(tmpdir(), 'machine-'))
  try {
    return {
      gigabytesPerSecond: await measureBandwidth(folder, threads),
      gigaflops: await measureFlops(folder, threads),
    }
  } finally {
    await rm(folder, { recursive: true })
  }
}

/** Reads all weights once per run: products of one row, chained so that none can be left out. */
async function measureBandwidth(folder: string, threads: number): Promise<number> {
  const run = await openProducts(folder, 'stream', {
    rows: 1,
    width: streamWidth,
    parts: streamParts,
    threads,
  })
  const { bestMs } = await measure(12, run.once)
  await run.close()
  return (streamParts * streamWidth ** 2 * 4) / bestMs / 1e6
}

async function measureFlops(folder: string, threads: number): Promise<number> {
  const run = await openProducts(folder, 'square', {
    rows: squareSize,
    width: squareSize,
    parts: 1,
    threads,
  })
  const { bestMs } = await measure(8, run.once)
  await run.close()
  return (2 * squareSize ** 3) / bestMs / 1e6
}

interface Products {
  readonly rows: number
  readonly width: number
  readonly parts: number
  readonly threads: number
}

async function openProducts(
  folder: string,
  name: string,
  { rows, width, parts, threads }: Products,
) {
  const g = new GraphBuilder(name)
  let x: Value = g.input('x', 'float32', ['rows', width])
  for (let part = 0; part < parts; part++) {
    x = linear(g, `part.${part}`, x, distinctWeight(width, part), { kind: 'f32' })
  }
  g.output('y', x, 'float32', ['rows', width])
  const graph = g.build()
  await writeWeights(graph, path.join(folder, `${name}.weights`))
  const file = path.join(folder, `${name}.onnx`)
  await writeFile(file, encodeModel(graph.spec, `${name}.weights`))
  const session = await createSession(file, threads)
  const input = new Float32Array(rows * width).fill(1)
  return {
    once: () => session.run({ x: new Tensor('float32', input, [rows, width]) }),
    close: () => session.release(),
  }
}

/** Equal tensors may be merged by the optimiser, and would then stay in the cache. */
function distinctWeight(width: number, part: number): WeightSource {
  return {
    dims: [width, width],
    readRows: (start, count) =>
      Promise.resolve(
        Float32Array.from(
          { length: count * width },
          (_, i) => ((start + part + i) % 7) / (4 * width),
        ),
      ),
  }
}

import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Tensor } from 'onnxruntime-node'
import { GraphBuilder, type Value } from '../../backend/graph/graph-builder.ts'
import { linear } from '../../backend/graph/layers.ts'
import { encodeModel } from '../../backend/graph/onnx-proto.ts'
import type { WeightSource } from '../../backend/graph/weight-source.ts'
import { writeWeights } from '../../backend/graph/weights-file.ts'
import { createSession } from '../../backend/model/sessions.ts'
import { measure, type BenchRow } from './measure.ts'

/** What the machine can do right now, measured with the same runtime and threads as the model. */
export interface MachineLimits {
  /** 10^9 bytes per second read from memory. */
  readonly gigabytesPerSecond: number
  /** 10^9 float32 operations per second. */
  readonly gigaflops: number
}

/** 1 GiB of float32 weights in eight products: far more than any cache holds. */
const streamWidth = 4096
const streamParts = 16
/** Side of a square product large enough for the kernels to reach full speed. */
const squareSize = 2048

export function machineRow(machine: MachineLimits): BenchRow {
  return {
    name: 'machine',
    value: `${machine.gigabytesPerSecond.toFixed(1)} GB/s, ${machine.gigaflops.toFixed(0)} GFLOP/s in float32`,
    ratio: '',
    data: { ...machine },
  }
}

/** Probes that stay open, so that the limits can be measured again next to the model. */
export interface Machine {
  measure(): Promise<MachineLimits>
  /** GB/s while reading 1 GiB once. */
  readBandwidth(): Promise<number>
  close(): Promise<void>
}

export async function openMachine(threads: number): Promise<Machine> {
  const folder = await mkdtemp(join(tmpdir(), 'machine-'))
  const stream = await openProducts(folder, 'stream', {
    rows: 1,
    width: streamWidth,
    parts: streamParts,
    threads,
  })
  const square = await openProducts(folder, 'square', {
    rows: squareSize,
    width: squareSize,
    parts: 1,
    threads,
  })
  await rm(folder, { recursive: true })
  const bandwidth = (ms: number) => (streamParts * streamWidth ** 2 * 4) / ms / 1e6
  return {
    async measure() {
      return {
        gigabytesPerSecond: bandwidth((await measure(12, stream.once)).bestMs),
        gigaflops: (2 * squareSize ** 3) / (await measure(8, square.once)).bestMs / 1e6,
      }
    },
    async readBandwidth() {
      const start = performance.now()
      await stream.once()
      return bandwidth(performance.now() - start)
    },
    async close() {
      await Promise.all([stream.close(), square.close()])
    },
  }
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
  await writeWeights(graph, join(folder, `${name}.weights`))
  const file = join(folder, `${name}.onnx`)
  await writeFile(file, encodeModel(graph.spec, `${name}.weights`))
  const session = await createSession(file, { threads })
  const input = new Float32Array(rows * width).fill(1)
  return {
    once: () => session.run({ x: new Tensor('float32', input, [rows, width]) }),
    close: () => session.release(),
  }
}

/** The optimiser may merge equal tensors, which would then stay in the cache. */
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

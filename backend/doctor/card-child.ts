/** Entry of the process that measures a card; its argument says whether that is one, or a driver that stands in for one. */
import { type InferenceSession, Tensor } from 'onnxruntime-node'
import { deviceForm } from '../graph/device-graph.ts'
import { GraphBuilder, type Value } from '../graph/graph-builder.ts'
import type { GraphSpec } from '../graph/onnx-proto.ts'
import { neg } from '../graph/operators/arithmetic.ts'
import { expand } from '../graph/operators/shapes.ts'
import type { Accelerator } from '../model/accelerator/accelerator.ts'
import {
  cardCopy,
  msPerRun,
  openCopyProbe,
  openWaiter,
  softwareCopy,
} from '../model/accelerator/copy-probe.ts'
import { openWebGpuAccelerator } from '../model/accelerator/webgpu-accelerator.ts'
import type { CardFacts } from './card-facts.ts'

/** Operators in a row of the graph that measures launches. */
const chained = 100

/** Bytes of the tensors that are tried, in turn. */
const triedBytes = [128, 256, 512, 1024, 2048].map((mebibytes) => mebibytes * 2 ** 20)

/** float32 numbers in a row of those tensors. */
const rowWidth = 1024

const isSoftware = process.argv[2] === 'software'
const card = openWebGpuAccelerator()
const copyRate = await openCopyProbe(card, isSoftware ? softwareCopy : cardCopy)
let facts: CardFacts = {
  bytesPerSecond: await copyRate(),
  secondsPerLaunch: await secondsPerLaunch(card),
  largestTensorBytes: 0,
}
await tell(facts)
const ones = await card.open(deviceForm(onesGraph()))
for (const bytes of triedBytes) {
  if (!(await keepsNumbers(card, ones, bytes))) break
  facts = { ...facts, largestTensorBytes: bytes }
  await tell(facts)
}
process.exit(0)

async function secondsPerLaunch(accelerator: Accelerator): Promise<number> {
  const session = await accelerator.open(deviceForm(chainGraph()))
  const [x, y] = [
    await accelerator.zeros('float32', [64]),
    await accelerator.zeros('float32', [64]),
  ]
  const run = () => accelerator.run(session, { x }, { y })
  return (await msPerRun(run, await openWaiter(accelerator))) / 1000 / chained
}

/** y = x, negated over and over */
function chainGraph(): GraphSpec {
  const g = new GraphBuilder('chain')
  let x: Value = g.input('x', 'float32', [64])
  for (let i = 0; i < chained; i++) x = neg(g, x)
  g.output('y', x, 'float32', [64])
  return g.build().spec
}

/** Whether a tensor of this size keeps what is written: a driver that cannot allocate as much may not say so. */
async function keepsNumbers(
  accelerator: Accelerator,
  session: InferenceSession,
  bytes: number,
): Promise<boolean> {
  const dims = [bytes / 4 / rowWidth, rowWidth]
  try {
    const tensor = await accelerator.zeros('float32', dims)
    const shape = new Tensor('int64', BigInt64Array.from(dims, BigInt), [2])
    await accelerator.run(session, { shape }, { y: tensor })
    const row = await accelerator.readRow(tensor, dims[0]! - 1)
    accelerator.free(tensor)
    return row.every((value) => value === 1)
  } catch {
    return false
  }
}

/** y = ones of a shape */
function onesGraph(): GraphSpec {
  const g = new GraphBuilder('ones')
  const shape = g.input('shape', 'int64', [2])
  g.output('y', expand(g, g.float32s([1], []), shape), 'float32', ['rows', 'width'])
  return g.build().spec
}

function tell(message: CardFacts): Promise<void> {
  return new Promise((resolve) => {
    process.send!(message, undefined, undefined, () => resolve())
  })
}

import { deviceForm } from '../../graph/device-graph.ts'
import { GraphBuilder } from '../../graph/graph-builder.ts'
import type { GraphSpec } from '../../graph/onnx-proto.ts'
import { neg } from '../../graph/operators/arithmetic.ts'
import type { Accelerator } from './accelerator.ts'

/** float32 numbers that are copied: 512 MiB, more than any card's caches hold. */
export const cardCopy = 2 ** 27

/** For a driver that computes on the CPU: 4 MiB. */
export const softwareCopy = 2 ** 20

/** Consecutive runs, so that waiting for the last one hardly counts. */
const runsInARow = 8

/** Measurements, of which the best counts. */
const rounds = 3

type Run = () => Promise<unknown>

/**
 * The bandwidth of a device's memory, measured by reading and writing `count` float32 numbers.
 * @returns bytes per second, read and written ones counted, whenever it is called
 * @throws {DeviceError} when the device has too little memory
 */
export async function openCopyProbe(
  accelerator: Accelerator,
  count: number,
): Promise<() => Promise<number>> {
  const [x, y] = [
    await accelerator.zeros('float32', [count]),
    await accelerator.zeros('float32', [count]),
  ]
  const session = await accelerator.open(deviceForm(copyGraph(count)))
  const copy = () => accelerator.run(session, { x }, { y })
  const settle = await openWaiter(accelerator)
  return async () => (2 * 4 * count * 1000) / (await msPerRun(copy, settle))
}

/** @returns waits for everything that was recorded before, since it reads a number from the device */
export async function openWaiter(accelerator: Accelerator): Promise<Run> {
  const x = await accelerator.zeros('float32', [1, 1])
  return () => accelerator.readRow(x, 0)
}

/** Milliseconds of one of several consecutive runs, without the overhead of a single run and of waiting for it. */
export async function msPerRun(run: Run, settle: Run): Promise<number> {
  const take = async (count: number) => {
    const start = performance.now()
    for (let i = 0; i < count; i++) await run()
    await settle()
    return performance.now() - start
  }
  await take(1)
  let best = Infinity
  for (let round = 0; round < rounds; round++) {
    const one = await take(1)
    best = Math.min(best, ((await take(1 + runsInARow)) - one) / runsInARow)
  }
  return best
}

/** y = -x */
function copyGraph(length: number): GraphSpec {
  const g = new GraphBuilder('copy')
  g.output('y', neg(g, g.input('x', 'float32', [length])), 'float32', [length])
  return g.build().spec
}

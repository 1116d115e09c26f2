import { describeAdapter, type Adapter } from '../../../backend/device/adapter.ts'
import { probeAdapter } from '../../../backend/device/probe.ts'
import { inferenceEnvironment } from '../../../backend/inference/environment.ts'
import { benchCallers } from '../engine.ts'
import type { BenchRow } from '../measure.ts'
import type { BenchOptions } from '../options.ts'
import { cardConfig } from './card-config.ts'
import { contextRows, decodeRow, decodings, prefillRows, profiledSteps } from './decoder-rows.ts'
import { loadRows, machineRows, openCardBench } from './open-card-bench.ts'
import { openVision } from './open-card.ts'
import { benchStep } from './profile-steps.ts'
import { firstTokenRow, visionRows } from './vision-rows.ts'

/**
 * The table for a card, row by row as they are measured.
 * @throws {Error} when there is no card
 */
export async function* cardRows(options: BenchOptions): AsyncGenerator<BenchRow> {
  const adapter = await findAdapter()
  console.log(describeAdapter(adapter))
  const config = cardConfig(options)
  const bench = await openCardBench({ ...options, config, isSoftware: adapter.kind === 'software' })
  const runs = (part: string) => options.only.includes(part)
  yield* machineRows(bench)
  yield* loadRows(bench)
  for (const decoding of runs('decode') ? decodings(options.slots) : []) {
    yield await decodeRow(bench, decoding)
  }
  if (runs('context')) yield* contextRows(bench, options.contexts)
  if (runs('prefill')) yield* await prefillRows(bench, options.prompts, bench.isSoftware ? 1 : 3)
  for (const kind of runs('steps') ? profiledSteps(bench) : []) {
    yield* await benchStep(bench.card, kind)
  }
  if (runs('engine')) yield await benchCallers(bench.model, options.slots)
  if (runs('vision')) {
    const vision = await openVision(config, options.dir)
    yield* visionRows(bench, vision, config)
    yield await firstTokenRow(bench, vision)
    await vision.close()
  }
  await bench.close()
}

/** There is neither a card nor a driver that replaces one; the message says why. */
export class NoCardError extends Error {
  override readonly name = 'NoCardError'
}

/**
 * Milliseconds in which a driver must open: on a freshly started machine, all of it is read from disk for the first
 * time.
 */
const patienceMs = 90_000

/** @throws {NoCardError} */
export async function findAdapter(): Promise<Adapter> {
  const environment = inferenceEnvironment(process.env)
  const probed = await probeAdapter({ environment, triesSoftware: true, patienceMs })
  if ('adapter' in probed) return probed.adapter
  throw new NoCardError(`There is no card to be measured: ${probed.problem}`)
}

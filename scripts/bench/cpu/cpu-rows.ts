import { defaultBlockSize } from '../../../backend/model/convert/graphs/weight-forms.ts'
import type { PreprocessorConfig } from '../../../backend/model/config/preprocessor-config.ts'
import { openModel } from '../../../backend/model/load-model.ts'
import type { Model } from '../../../backend/model/model.ts'
import { benchConstrained } from './constrained.ts'
import {
  benchCallers,
  benchEngineOverhead,
  benchFirstToken,
  benchMixedLoad,
  benchVisionBeside,
} from '../engine.ts'
import { decodeWeightBytes } from './floor.ts'
import { benchImage, benchSampler } from './host.ts'
import { machineRow, openMachine } from '../machine.ts'
import type { BenchRow } from '../measure.ts'
import type { BenchOptions } from '../options.ts'
import {
  modelConfigOf,
  publishedSizes,
} from '../../../backend/models/synthesise/published-config.ts'
import { randomSource } from '../random-source.ts'
import { benchDecode, benchPrefill, type Prompt, type TextBench } from '../text.ts'
import { benchVision } from '../vision.ts'

/** Cached tokens at which attention costs next to nothing. */
const shortContext = 64

/** A question about a picture and half an answer. */
const usualContext = 512

/** The table for the CPU, row by row as they are measured. */
export async function* cpuRows(options: BenchOptions): AsyncGenerator<BenchRow> {
  console.log('measuring the machine ...')
  const limits = await openMachine(options.threads)
  const machine = await limits.measure()
  yield machineRow(machine)
  const source = randomSource(modelConfigOf({ ...publishedSizes, ...options }))
  const start = performance.now()
  const model = await openModel(source, {
    modelsDir: options.dir,
    weights: 'q8',
    slots: options.slots,
    threads: options.threads,
    onProgress: (text) => console.log(text),
  })
  yield loadRow((performance.now() - start) / 1000)
  const { text_config: config, vision_config: vision } = source.config
  const weightBytes = (sequences: number) => decodeWeightBytes(config, defaultBlockSize, sequences)
  const bench: TextBench = { model, config, weightBytes, machine, limits }
  const runs = (part: string) => options.only.includes(part)
  let stepMs = Number.NaN
  if (runs('decode')) stepMs = yield* decodeRows(bench, options.slots)
  if (runs('context')) {
    for (const context of options.contexts) {
      yield await benchDecode(bench, { sequences: 1, context }, 24)
    }
  }
  if (runs('prefill')) yield* await benchPrefill(bench, promptsOf(options), 5)
  if (runs('vision')) {
    for (const side of [16, 32, 64])
      yield await benchVision(model, vision, machine, side, side === 64 ? 1 : 2)
  }
  if (runs('host')) yield* hostRows(source.preprocessor)
  if (runs('engine')) yield* engineRows(model, options.slots, stepMs)
  await model.close()
  await limits.close()
}

/** @returns milliseconds of a step of one sequence */
async function* decodeRows(bench: TextBench, slots: number): AsyncGenerator<BenchRow, number> {
  let stepMs = Number.NaN
  yield await benchDecode(bench, { sequences: 1, context: shortContext }, 48)
  for (const sequences of [1, 2, 4, 8].filter((n) => n <= slots)) {
    const row = await benchDecode(bench, { sequences, context: usualContext }, 48)
    if (sequences === 1) stepMs = row.data['bestMs']!
    yield row
  }
  for (const drafted of [1, 3, 7]) {
    yield await benchDecode(bench, { sequences: 1, context: usualContext, drafted }, 48)
  }
  return stepMs
}

/** Each prompt alone, and a short one after the longest. */
function promptsOf({ prompts }: BenchOptions): Prompt[] {
  const alone = prompts.map((tokens) => ({ tokens, past: 0 }))
  return [...alone, { tokens: 256, past: Math.max(...prompts) }]
}

/** What happens beside the model. */
async function* hostRows(preprocessor: PreprocessorConfig): AsyncGenerator<BenchRow> {
  yield await benchSampler('greedy', { temperature: 0 })
  yield await benchSampler('temperature 0.7, top_p 0.9', {})
  const rules = 'temperature 0.7, top_p 0.9, logprobs with 20 alternatives'
  yield await benchSampler(rules, {}, 20)
  yield await benchSampler('flat: temperature 2, top_p 0.99', { temperature: 2, topP: 0.99 })
  yield* benchConstrained()
  for (const [width, height] of [
    [640, 480],
    [1920, 1080],
    [4000, 3000],
  ] as const) {
    yield await benchImage(width, height, preprocessor)
  }
}

async function* engineRows(model: Model, slots: number, stepMs: number): AsyncGenerator<BenchRow> {
  yield await benchEngineOverhead(stepMs)
  yield await benchFirstToken(model, [36, 46])
  yield await benchCallers(model, slots)
  yield await benchMixedLoad(model, 2048)
  yield await benchVisionBeside(model, [32, 32])
}

function loadRow(seconds: number): BenchRow {
  const residentGb = process.memoryUsage().rss / 1e9
  return {
    name: 'load (conversion included when it was the first time)',
    value: `${seconds.toFixed(1)} s, ${residentGb.toFixed(2)} GB resident`,
    ratio: '',
    data: { seconds, residentGb },
  }
}

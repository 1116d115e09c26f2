import { createEngine } from '../../backend/engine/engine.ts'
import type { Model } from '../../backend/model/model.ts'
import { instantModel } from './engine/instant-model.ts'
import { imageJob, job, never, tokenTimes } from './engine/jobs.ts'
import { gapsBeside, gapsRow } from './engine/stream-gaps.ts'
import { timed, type BenchRow } from './measure.ts'
import { percent } from './text.ts'

/** Time to the first token of one image with a short question, compared with the sum of its parts. */
export async function benchFirstToken(
  model: Model,
  gridHw: readonly [number, number],
): Promise<BenchRow> {
  const engine = createEngine({ model, queueLimit: 8 })
  await tokenTimes(engine.generate(imageJob(model, gridHw, 1), never()))
  const start = performance.now()
  let parts = 0
  let firstMs = 0
  for await (const event of engine.generate(imageJob(model, gridHw, 2), never())) {
    if (event.type === 'tokens') firstMs = performance.now() - start
    if (event.type === 'end') parts = event.timings.visionMs + event.timings.prefillMs
  }
  await engine.close()
  return {
    name: `first token of an image of ${gridHw[0]} x ${gridHw[1]} patches, this model's layers`,
    value: `${firstMs.toFixed(0)} ms`,
    ratio: `${percent(firstMs / parts)} of vision + prefill`,
    data: { firstMs, parts },
  }
}

/** Tokens of each request, as they are usual. */
const usualRequest = { prompt: 256, answer: 64 }

/** Callers that all arrive at once, each with a prompt of its own. */
export async function benchCallers(
  model: Model,
  callers: number,
  { prompt, answer } = usualRequest,
): Promise<BenchRow> {
  const engine = createEngine({ model, queueLimit: callers })
  const start = performance.now()
  const streams = Array.from({ length: callers }, () =>
    tokenTimes(engine.generate(job(prompt, answer), never())),
  )
  const firstMs = (await Promise.all(streams)).map(([first]) => first! - start)
  const seconds = (performance.now() - start) / 1000
  await engine.close()
  const perSecond = (callers * answer) / seconds
  const meanFirstMs = firstMs.reduce((sum, ms) => sum + ms, 0) / callers
  return {
    name: `${callers} callers at once, ${prompt} tokens in, ${answer} out`,
    value: `${perSecond.toFixed(1)} tok/s, first token after ${(meanFirstMs / 1000).toFixed(1)} s`,
    ratio: '',
    data: { perSecond, meanFirstMs },
  }
}

/** While a prompt of `prompt` tokens is prefilled; also how much longer the prefill takes than alone. */
export async function benchMixedLoad(model: Model, prompt: number): Promise<BenchRow> {
  const engine = createEngine({ model, queueLimit: 8 })
  const alone = await timed(() => tokenTimes(engine.generate(job(prompt, 1), never())))
  await engine.close()
  const gaps = await gapsBeside(model, job(prompt, 1))
  return gapsRow(`gap of 2 streams while ${prompt} tokens are read`, gaps, alone)
}

/** While the vision tower processes an image; also how much longer that takes than alone, its prompt included. */
export async function benchVisionBeside(
  model: Model,
  gridHw: readonly [number, number],
): Promise<BenchRow> {
  const engine = createEngine({ model, queueLimit: 8 })
  const alone = await timed(() => tokenTimes(engine.generate(imageJob(model, gridHw, 3), never())))
  await engine.close()
  const gaps = await gapsBeside(model, imageJob(model, gridHw, 4))
  const name = `gap of 2 streams while ${gridHw[0] * gridHw[1]} patches are looked at`
  return gapsRow(name, gaps, alone)
}

/** The engine's own work per step: a model that answers at once, with a vocabulary of the real size. */
export async function benchEngineOverhead(stepMs: number): Promise<BenchRow> {
  const steps = 400
  const engine = createEngine({ model: instantModel(), queueLimit: 8 })
  await tokenTimes(engine.generate(job(10, steps), never()))
  const start = process.cpuUsage()
  await tokenTimes(engine.generate(job(10, steps), never()))
  const { user, system } = process.cpuUsage(start)
  await engine.close()
  const perStepMs = (user + system) / 1000 / steps
  return {
    name: 'engine work per step, greedy sampling of 163,840 logits included',
    value: `${(perStepMs * 1000).toFixed(0)} µs`,
    ratio: `${percent(perStepMs / stepMs)} of a decode step`,
    data: { perStepMs },
  }
}

/** What can be said of the device's graphs without answers: where their nodes run, their launches, and their memory. */
import assert from 'node:assert/strict'
import { readFile, writeFile } from 'node:fs/promises'
import { deviceForm } from '../../backend/graph/device-graph.ts'
import { GraphBuilder } from '../../backend/graph/graph-builder.ts'
import { copied } from '../../backend/graph/operators/arithmetic.ts'
import { captureProblem } from '../../backend/model/accelerator/can-capture.ts'
import { probeCard } from '../../backend/model/accelerator/probe-card.ts'
import { openWebGpuAccelerator } from '../../backend/model/accelerator/webgpu-accelerator.ts'
import { pieceTokens } from '../../backend/model/deepseek/device/run-plan.ts'
import type { Model } from '../../backend/model/model.ts'
import { cardConfig } from '../../scripts/bench/card/card-config.ts'
import { openCard } from '../../scripts/bench/card/open-card.ts'
import { profileStep } from '../../scripts/bench/card/profile-steps.ts'
import { randomDecoder } from '../../scripts/bench/card/random-decoder.ts'
import { openDeviceModel } from './device-models.ts'
import { greedy, readGoldenCases } from './golden-cases.ts'

interface GraphCheck {
  readonly name: string
  readonly run: (modelsDir: string) => Promise<void>
}

export const graphChecks: readonly GraphCheck[] = [
  { name: 'passes the trial of a card', run: passesTrial },
  { name: 'names the nodes that it cannot run', run: namesNodes },
  { name: 'opens the graphs of all layers of the real model', run: opensRealGraphs },
  { name: 'launches as many kernels as it did', run: countsLaunches },
  { name: 'answers alike when single tokens always use the same memory', run: repeatsRuns },
  { name: 'says whether runs can be recorded', run: tellsOfCapture },
  { name: 'runs two layers of true dimensions in 6 GB', run: runsTrueLayers },
  { name: 'says what there was no room for', run: namesWhatIsTooLarge },
  { name: 'takes no more memory for many layers than for few', run: reusesMemory },
]

/** Layers of the real model, the first without experts. */
const layers = 27

/** Kernels that a layer launches: with dense layers, with all experts, with chosen ones. */
const launches = { dense: 20, allExperts: 28, chosenExperts: 36 }

const repeatedCases = ['text-hello', 'text-count']

/** Bytes that a process may take with two layers, driver included. */
const trueLayersLimit = 6e9

/** Largest difference of a logit between a token alone and in company, relative to the largest logit. */
const companyTolerance = 1e-3

async function passesTrial(): Promise<void> {
  assert.equal(await probeCard(), undefined)
}

/** A determinant is not among the operators of the provider. */
async function namesNodes(): Promise<void> {
  const g = new GraphBuilder('unsupported')
  const x = g.input('x', 'float32', [4, 4])
  const [determinant] = g.scope('layers.3', () => g.node('Det', [copied(g, x)]))
  g.output('y', determinant!, 'float32', [])
  const card = openWebGpuAccelerator()
  await assert.rejects(card.open(deviceForm(g.build().spec)), {
    message:
      "The graphics card cannot run 1 of the graph's nodes: Det (/layers.3/Det). PROVIDER=cpu does without the card.",
  })
  await card.close()
}

/** Their weights are inputs, so that graphs open without them. */
async function opensRealGraphs(): Promise<void> {
  const config = cardConfig({ layers, visionLayers: 1, narrow: false })
  const { graphs } = randomDecoder({ config, slots: 1, cacheTokens: 1 })
  const card = openWebGpuAccelerator()
  for (const { spec } of [graphs.allExperts, graphs.chosenExperts!]) {
    const session = await card.open(deviceForm(spec))
    assert.equal(
      session.outputNames.filter((name) => name.startsWith('next_cache.')).length,
      layers,
    )
  }
  await card.close()
}

/** Of narrow layers, which launch the same kernels as wide ones. */
async function countsLaunches(): Promise<void> {
  const config = cardConfig({ layers, visionLayers: 1, narrow: true })
  const card = await openCard({ config, slots: 2, cacheTokens: 512, sharesLayers: true })
  const alone = await profileStep(card, { name: 'alone', sequences: 1, tokens: 1 })
  const together = await profileStep(card, { name: 'together', sequences: 2, tokens: 1 })
  const expected = (sparse: number) => [launches.dense, ...Array<number>(layers - 1).fill(sparse)]
  assert.deepEqual(alone.layerLaunches, expected(launches.chosenExperts))
  assert.deepEqual(together.layerLaunches, expected(launches.allExperts))
  await card.model.close()
}

/** What recording a run once and repeating it asks of the decoder, without the recording. */
async function repeatsRuns(modelsDir: string): Promise<void> {
  const card = openWebGpuAccelerator({ repeats: 'same-memory' })
  const model = await openDeviceModel('q8', card, modelsDir)
  for (const golden of (await readGoldenCases()).filter(({ id }) => repeatedCases.includes(id))) {
    assert.deepEqual((await greedy(model, golden)).ids, golden.greedy_ids, golden.id)
  }
  await model.close()
}

/** The binding of 1.30 refuses the option; once it does not, repeated runs have to be right. */
async function tellsOfCapture(): Promise<void> {
  assert.match(
    (await captureProblem()) ?? 'none',
    /^none$|unrecognized option: 'enableGraphCapture'/,
  )
}

async function runsTrueLayers(): Promise<void> {
  const config = cardConfig({ layers: 2, visionLayers: 1, narrow: false })
  const { model } = await openCard({ config, slots: 2, cacheTokens: 64, sharesLayers: false })
  const [alone] = await logitsOf(model, [17])
  const [again, other] = await logitsOf(model, [17, 4711])
  const largest = alone!.reduce((most, logit) => Math.max(most, Math.abs(logit)), 0)
  assert.ok(Number.isFinite(largest) && largest > 0, `${largest}`)
  const difference = (of: Float32Array) =>
    of.reduce((most, logit, id) => Math.max(most, Math.abs(logit - alone![id]!)), 0) / largest
  assert.ok(difference(again!) < companyTolerance, `${difference(again!)}`)
  assert.ok(difference(other!) > companyTolerance, `${difference(other!)}`)
  await model.close()
  const bytes = process.resourceUsage().maxRSS * 1024
  assert.ok(bytes < trueLayersLimit, `${bytes} bytes`)
}

/** Of the first token of sequences that share a step. */
async function logitsOf(model: Model, firstIds: readonly number[]): Promise<Float32Array[]> {
  const slots = firstIds.map(() => model.openSlot())
  const rows = slots.map((slot, i) => ({
    slot,
    tokenIds: Int32Array.of(firstIds[i]!),
    features: [],
    sample: true,
  }))
  const logits: Float32Array[] = []
  for (const next of await model.step(rows)) logits.push(await next.row())
  for (const slot of slots) model.closeSlot(slot)
  return logits
}

/** A terabyte. */
async function namesWhatIsTooLarge(): Promise<void> {
  const accelerator = openWebGpuAccelerator()
  const expected = {
    name: 'DeviceError',
    message: /could not make a tensor float32 \[268435456,1024\]/,
  }
  await assert.rejects(accelerator.zeros('float32', [2 ** 28, 1024]), expected)
  await accelerator.close()
}

/** Of layers whose intermediate results are large, and whose weights and products are small. */
async function reusesMemory(): Promise<void> {
  const few = await peakBytes(3)
  const many = await peakBytes(9)
  const results =
    4 * pieceTokens * (wideExperts.n_routed_experts + 2) * wideExperts.moe_intermediate_size
  // Layers that take memory of their own take about five results each.
  assert.ok(many - few < 6 * results, `${few} bytes with 3 layers, ${many} with 9`)
}

const wideExperts = {
  hidden_size: 64,
  n_routed_experts: 64,
  moe_intermediate_size: 704,
}

/** Memory that the process takes while it reads a piece of a prompt, beyond what it had before; driver included. */
async function peakBytes(count: number): Promise<number> {
  const narrow = cardConfig({ layers: count, visionLayers: 1, narrow: true })
  const config = { ...narrow, text_config: { ...narrow.text_config, ...wideExperts } }
  const { model } = await openCard({ config, slots: 1, cacheTokens: 256, sharesLayers: true })
  const slot = model.openSlot()
  const tokenIds = new Int32Array(pieceTokens)
  const before = await statusBytes('VmRSS')
  // So that the kernel begins to look for the largest use anew.
  await writeFile('/proc/self/clear_refs', '5')
  await model.step([{ slot, tokenIds, features: [], sample: true }])
  const bytes = (await statusBytes('VmHWM')) - before
  await model.close()
  return bytes
}

async function statusBytes(name: string): Promise<number> {
  const status = await readFile('/proc/self/status', 'utf8')
  return 1024 * Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)![1])
}

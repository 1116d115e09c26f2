/**
 * `node scripts/gpu/memory.ts [steps] [requests]`: runs nano on the graphics card for 10,000 decode steps and 1,000
 * mixed requests, and shows the memory in use as it runs. Exits with 1 if it grows by 2 % after the first quarter.
 */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { probeAdapter } from '../../backend/device/probe.ts'
import { openWebGpuAccelerator } from '../../backend/model/accelerator/webgpu-accelerator.ts'
import type { Model, SlotId } from '../../backend/model/model.ts'
import { openDeviceModel } from '../../test/parity/device-models.ts'
import { mixedRequests } from '../bench/card/parts/mixed-requests.ts'
import { rowLine } from '../bench/report.ts'
import { usedMemory } from '../bench/card/used-memory.ts'

/** Sequences that decode; each step has some of them, so that every number of rows occurs. */
const sequences = 4

/** Tokens after which a sequence makes way for another one. */
const longest = 300

/** Readings of the memory. */
const readings = 20

/** Growth that is not a leak. */
const flatWithin = 0.02

/** Ids from which on nano's tokens are control tokens. */
const controlIdsFrom = 1024

/** Lengths of a mixed request, in tokens. */
const sizes = { prompt: [4, 100], answer: [1, 12] } as const

const [steps = 10_000, requests = 1_000] = process.argv.slice(2).map(Number)
const probed = await probeAdapter({ environment: process.env, triesSoftware: true })
if ('problem' in probed) throw new Error(`there is no card: ${probed.problem}`)
const memory = () => usedMemory(probed.adapter.kind === 'software')
const modelsDir = await mkdtemp(join(tmpdir(), 'card-memory-'))
const model = await openDeviceModel('q8', openWebGpuAccelerator(), modelsDir, sequences)
try {
  const growth = await decode(model)
  console.log(`${steps} decode steps: ${(100 * growth).toFixed(2)} % after the first quarter`)
  const options = { requests, slots: sequences, sizes, controlIdsFrom, usedMemory: memory }
  for await (const row of mixedRequests(model, { ...options, leftMs: () => Infinity })) {
    console.log(rowLine(row))
  }
  process.exitCode = growth > flatWithin ? 1 : 0
} finally {
  await model.close()
  await rm(modelsDir, { recursive: true })
}

/** @returns growth from the largest reading of the first quarter to that of the last one */
async function decode(on: Model): Promise<number> {
  const seen: number[] = []
  let slots: SlotId[] = []
  for (let step = 1; step <= steps; step++) {
    if (slots.length < 1 + (step % sequences)) slots.push(on.openSlot())
    const some = slots.slice(0, 1 + (step % sequences))
    await on.step(
      some.map((slot, i) => ({
        slot,
        tokenIds: Int32Array.of((step * 7919 + i) % controlIdsFrom),
        features: [],
        sample: true,
      })),
    )
    const full = slots.filter((slot) => on.slotLength(slot) >= longest)
    for (const slot of full) on.closeSlot(slot)
    slots = slots.filter((slot) => !full.includes(slot))
    if (step % Math.ceil(steps / readings) > 0) continue
    const { bytes } = await memory()
    seen.push(bytes)
    console.log(`step ${step}: ${(bytes / 1e6).toFixed(1)} MB`)
  }
  for (const slot of slots) on.closeSlot(slot)
  const quarter = Math.max(1, Math.floor(seen.length / 4))
  return Math.max(...seen.slice(-quarter)) / Math.max(...seen.slice(0, quarter)) - 1
}

/**
 * Thousands of steps of every kind on the device form of the tiny model, in a process of its own, whose memory nothing else
 * uses.
 */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createRandom } from '../../backend/engine/sampling/random.ts'
import { openHostAccelerator } from '../support/model/host-accelerator.ts'
import type { Model, RowsId, SlotId } from '../../backend/model/model.ts'
import { openDeviceModel } from './device-models.ts'

/** Turns between two readings of the memory. */
const turnsPerReading = 100

/** Tokens after which a sequence ends. */
const longestSequence = 160

/** @returns resident bytes after every hundred turns, garbage collected */
export async function memoryOverTurns(turns: number, modelsDir: string): Promise<number[]> {
  const program = fileURLToPath(import.meta.url)
  const child = fork(program, [String(turns), modelsDir], { execArgv: ['--expose-gc'] })
  const [readings] = (await once(child, 'message')) as [number[]]
  await once(child, 'exit')
  return readings
}

async function main(turns: number, modelsDir: string): Promise<void> {
  const model = await openDeviceModel('f32', openHostAccelerator(1), modelsDir)
  const readings: number[] = []
  const mix = new Mix(model)
  for (let turn = 1; turn <= turns; turn++) {
    await mix.turn()
    if (turn % turnsPerReading > 0) continue
    globalThis.gc!()
    readings.push(process.memoryUsage.rss())
  }
  await model.close()
  process.send!(readings)
  process.disconnect()
}

/** Sequences that begin, go on by tokens and by chunks, fork, are cut, kept, restored and end. */
class Mix {
  readonly #model: Model
  readonly #random = createRandom(16)
  #slots: SlotId[] = []
  #kept: RowsId | undefined

  constructor(model: Model) {
    this.#model = model
  }

  async turn(): Promise<void> {
    this.#begin()
    const rows = this.#slots.map((slot) => {
      const count = this.#below(3) === 0 ? 1 + this.#below(31) : 1
      const tokenIds = Int32Array.from({ length: count }, () => this.#below(1000))
      return { slot, tokenIds, features: [], sample: this.#below(4) > 0 }
    })
    for (const next of await this.#model.step(rows)) {
      if (this.#below(3) === 0) await next.row()
    }
    this.#end()
  }

  /** A sequence of its own, of kept rows, or forked from another. */
  #begin(): void {
    const model = this.#model
    const { slots } = model.info
    if (this.#slots.length === slots) return
    const [first] = this.#slots
    if (first !== undefined && this.#below(4) === 0) {
      this.#slots.push(model.forkSlot(first, this.#below(model.slotLength(first) + 1)))
      return
    }
    const slot = model.openSlot()
    if (this.#kept !== undefined && this.#below(2) === 0) model.restoreRows(slot, this.#kept)
    this.#slots.push(slot)
  }

  #end(): void {
    const model = this.#model
    const over = this.#slots.filter(
      (slot) => model.slotLength(slot) > longestSequence || this.#below(40) === 0,
    )
    for (const slot of over) this.#keep(slot)
    for (const slot of over) model.closeSlot(slot)
    this.#slots = this.#slots.filter((slot) => !over.includes(slot))
    const [first] = this.#slots
    if (first !== undefined && this.#below(10) === 0) {
      model.truncateSlot(first, Math.ceil(model.slotLength(first) / 2))
    }
  }

  #keep(slot: SlotId): void {
    const tokens = Math.min(32, this.#model.slotLength(slot))
    if (this.#kept !== undefined) this.#model.dropRows(this.#kept)
    this.#kept = this.#model.keepRows(slot, 0, tokens)
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit)
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main(Number(process.argv[2]), process.argv[3]!)
}

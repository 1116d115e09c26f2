import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { workerData } from 'node:worker_threads'
import { move, transferableSymbol, valueSymbol } from 'piscina'
import sharp from 'sharp'
import { createLocalTasks } from './processor-tasks.ts'

// A thread of the pool is the unit of parallel work, and no image comes twice: libvips needs neither threads nor
// cache. Decoders that imageType() would refuse are switched off, whatever a file may trick libvips into.
sharp.concurrency(1)
sharp.cache(false)
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'].map(
    (format) => `VipsForeignLoad${format}`,
  ),
})

/**
 * Bytes outside of JavaScript's heap that a thread may keep when it is done: decoded pixels, up to 300 MB, are freed when
 * garbage is collected, which an idle thread never does by itself.
 */
const idleExternalBytes = 64 * 2 ** 20

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const tasks = createLocalTasks((workerData as { modelFolder: string }).modelFolder)
/** Inside a worker nobody waits for others, and nobody aborts. */
const caller = { tenant: '', signal: new AbortController().signal }

export async function encodeTexts(texts: readonly string[]): Promise<unknown> {
  const ids = await tasks.encodeTexts(texts, caller)
  return moved(
    ids,
    ids.map(({ buffer }) => buffer),
  )
}

export async function prepareImage(file: Uint8Array): Promise<unknown> {
  const outcome = await tasks.prepareImage(file, caller)
  if (process.memoryUsage().external > idleExternalBytes) await freePixels()
  return moved(outcome, outcome.ok ? [outcome.image.patches.buffer] : [])
}

/**
 * Memory of native code is freed a turn after its owner was collected, and a thread without a task has no turns. The first
 * round only frees what holds the pixels (seen with sharp 0.35).
 */
async function freePixels(): Promise<void> {
  for (let round = 0; round < 2; round++) {
    collectGarbage()
    await nextTurn()
  }
}

/** Hands memory over to the main thread instead of copying it. */
function moved(value: object, memory: readonly ArrayBufferLike[]): unknown {
  return move({ [valueSymbol]: value, [transferableSymbol]: memory })
}

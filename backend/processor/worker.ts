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
  return moved(outcome, outcome.ok ? [outcome.image.patches.buffer] : [])
}

/** Hands memory over to the main thread instead of copying it. */
function moved(value: object, memory: readonly ArrayBufferLike[]): unknown {
  return move({ [valueSymbol]: value, [transferableSymbol]: memory })
}

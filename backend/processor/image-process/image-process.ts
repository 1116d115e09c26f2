/** Entry of a process that decodes images: decoders, and whatever a hostile file makes of them, live here and nowhere else. */
import { flushCompileCache } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setImmediate as nextTurn } from 'node:timers/promises'
import sharp from 'sharp'
import { createLocalTasks } from '../processor-tasks.ts'
import type { ImageOrder } from './image-processes.ts'

// The pool runs one image per process, and no image is decoded twice, so libvips needs neither threads nor a cache.
// Decoders that imageType() would reject are disabled, in case a file tricks libvips into using one.
sharp.concurrency(1)
sharp.cache(false)
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: ['Jpeg', 'Png', 'Webp', 'Nsgif', 'Tiff', 'Heif'].map(
    (format) => `VipsForeignLoad${format}`,
  ),
})

/**
 * Bytes outside of JavaScript's heap that an idle process may keep: decoded pixels, up to 300 MB, are freed by
 * garbage collection, which an idle process never starts by itself.
 */
const idleExternalBytes = 64 * 2 ** 20

setFlagsFromString('--expose-gc')
const collectGarbage = runInNewContext('gc') as () => void

const tasks = createLocalTasks(process.argv[2]!)
/** Within this process nothing waits for other tenants, and nothing is aborted. */
const caller = { tenant: '', signal: new AbortController().signal }

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
// A decoder cannot be interrupted in any other way.
process.on('disconnect', () => process.kill(process.pid, 'SIGKILL'))
process.on('message', (order: ImageOrder) => void prepare(order))
// The first image should not have to wait for the code.
await import('../prepare-image.ts')
// Node does so at a process's end, which this one meets by a signal.
flushCompileCache()

/** An error that is not the file's fault ends this process and is reported on stderr. */
async function prepare({ task, file, mostTokens }: ImageOrder): Promise<void> {
  const outcome = await tasks[task](file, caller, mostTokens)
  if (process.memoryUsage().external > idleExternalBytes) await freePixels()
  process.send!(outcome)
}

/**
 * Native memory is freed one turn of the event loop after its owner was collected. The first round only frees what
 * holds the pixels (observed with sharp 0.35).
 */
async function freePixels(): Promise<void> {
  for (let round = 0; round < 2; round++) {
    collectGarbage()
    await nextTurn()
  }
}

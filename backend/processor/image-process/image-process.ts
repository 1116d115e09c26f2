/** Entry of a process that decodes images: decoders, and whatever a hostile file makes of them, live here and nowhere else. */
import { readSync } from 'node:fs'
import { flushCompileCache } from 'node:module'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import sharp from 'sharp'
import { maxDecodeMs } from '../image-file/decode-limits.ts'
import { createLocalTasks, type ImageOutcome } from '../tasks/processor-tasks.ts'
import { filePipe, type SentOrder } from './image-processes.ts'

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
process.on('message', (order: SentOrder) => void prepare(order))
// The first image should not have to wait for the code.
await import('../image/prepare-image.ts')
// Node does so at a process's end, which this one meets by a signal.
flushCompileCache()

/** An error that is not the file's fault ends this process and is reported on stderr. */
async function prepare({ task, fileBytes, mostTokens }: SentOrder): Promise<void> {
  const file = readFile(fileBytes)
  const done = new AbortController()
  const outcome = await Promise.race([
    tasks[task](file, caller, mostTokens),
    giveUpLate(done.signal),
  ])
  done.abort()
  if (process.memoryUsage().external > idleExternalBytes) await freePixels()
  process.send!(outcome)
}

/** Waits for each piece: this process has nothing else to do. */
function readFile(bytes: number): Uint8Array {
  const file = new Uint8Array(bytes)
  for (let at = 0; at < bytes;) {
    const read = readSync(filePipe, file, at, bytes - at, null)
    // The sender is gone.
    if (read === 0) process.kill(process.pid, 'SIGKILL')
    at += read
  }
  return file
}

/**
 * Resolves once this process has computed for too long; it then has to be ended. Time in which others had the cores
 * does not count.
 */
async function giveUpLate(done: AbortSignal): Promise<ImageOutcome<never>> {
  const begun = process.cpuUsage()
  for (;;) {
    const { user, system } = process.cpuUsage(begun)
    const leftMs = maxDecodeMs - (user + system) / 1_000
    if (leftMs <= 0) break
    await delay(leftMs, undefined, { signal: done }).catch(() => {})
    if (done.aborted) break
  }
  const message = `decoding takes longer than ${maxDecodeMs / 1_000} s`
  return { ok: false, code: 'image_too_large', message }
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

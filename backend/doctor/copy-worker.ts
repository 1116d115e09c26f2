/** Copies memory for a while, and reports the bytes read and written per second. */
import { parentPort } from 'node:worker_threads'

/** Bytes: far more than any cache holds. */
const size = 128 * 1024 * 1024

/** Milliseconds of copying; pages have been touched before. */
const durationMs = 400

const source = new Uint8Array(size).fill(1)
const target = new Uint8Array(size)
target.set(source)

const startMs = performance.now()
let copies = 0
let ms = 0
while (ms < durationMs) {
  target.set(source)
  copies += 1
  ms = performance.now() - startMs
}
// oxlint-disable-next-line unicorn/require-post-message-target-origin -- Threads have no origin.
parentPort?.postMessage((2 * copies * size * 1000) / ms)

import { parentPort } from 'node:worker_threads'
import { readPage } from './read-page.ts'

// oxlint-disable-next-line unicorn/require-post-message-target-origin -- Threads have no origin.
parentPort?.postMessage(await readPage())

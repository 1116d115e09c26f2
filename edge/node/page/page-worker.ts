import { parentPort } from 'node:worker_threads'
import { readPage } from './read-page.ts'

parentPort?.postMessage(await readPage())

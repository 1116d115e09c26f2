import { fileURLToPath } from 'node:url'

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url))

/** Entry files of the programs that scripts and tests start as separate processes. */
export const programs = {
  backend: file('../../backend/main.mjs'),
  nodeEdge: file('../../edge/node/main.mjs'),
  workerEdge: file('../start/worker-edge.ts'),
  pacedBackend: file('../bench/edge/paced-backend.ts'),
  bareNode: file('../bench/edge/bare-node.ts'),
  bareWorker: file('../bench/edge/bare-worker.ts'),
} as const

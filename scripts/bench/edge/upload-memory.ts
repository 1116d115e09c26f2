import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { maxUploadBytes } from '../../../shared/api/limits.ts'
import { routes } from '../../../shared/api/routes.ts'
import type { Way } from './lab.ts'
import { residentBytes } from './process-counts.ts'

/** What a large upload costs the process it passes through. */
interface UploadCost {
  readonly seconds: number
  /** 10^6 bytes: before the upload, and the peak during it. */
  readonly idleMb: number
  readonly peakMb: number
}

/** What it costs an edge, and a bare proxy on the same platform. */
export interface UploadRow {
  readonly way: Way['name']
  readonly form: 'with a length' | 'chunked'
  readonly edge: UploadCost
  readonly bare: UploadCost
  readonly mayTakeMb: number
}

const mayTakeMb = { workerd: 90, node: 150, direct: Infinity }

const pieceBytes = 64 * 1024

/** Milliseconds between two readings of the process's memory. */
const lookMs = 10

/** Uploads of the largest allowed size, with and without a stated length. */
export async function measureUploads(edge: Way, bare: Way): Promise<readonly UploadRow[]> {
  const rows: UploadRow[] = []
  for (const form of ['with a length', 'chunked'] as const) {
    rows.push({
      way: edge.name,
      form,
      edge: await upload(edge, form),
      bare: await upload(bare, form),
      mayTakeMb: mayTakeMb[edge.name],
    })
  }
  return rows
}

async function upload(way: Way, form: UploadRow['form']): Promise<UploadCost> {
  const client = way.connect()
  const idle = residentBytes(way.pid)
  let peak = idle
  const watching = new AbortController()
  const watched = watch(watching.signal, () => {
    peak = Math.max(peak, residentBytes(way.pid))
  })
  const startedAt = performance.now()
  const { statusCode, body } = await client.request({
    origin: way.origin,
    path: routes.image.path,
    method: 'POST',
    headers: {
      ...way.headers,
      'content-type': 'multipart/form-data; boundary=part-of-the-bench',
      ...(form !== 'chunked' && { 'content-length': String(maxUploadBytes) }),
    },
    body: Readable.from(pieces(maxUploadBytes), { objectMode: false }),
  })
  await body.dump()
  const seconds = (performance.now() - startedAt) / 1_000
  watching.abort()
  await watched
  await client.destroy()
  if (statusCode !== 200) throw new Error(`An upload ${form} was answered with ${statusCode}`)
  return { seconds, idleMb: idle / 1e6, peakMb: peak / 1e6 }
}

function* pieces(bytes: number): Generator<Buffer> {
  const piece = Buffer.alloc(pieceBytes, 7)
  for (let sent = 0; sent < bytes; sent += pieceBytes) yield piece.subarray(0, bytes - sent)
}

async function watch(signal: AbortSignal, look: () => void): Promise<void> {
  while (!signal.aborted) {
    look()
    await delay(lookMs)
  }
}

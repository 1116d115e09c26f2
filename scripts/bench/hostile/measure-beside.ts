import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import sharp from 'sharp'
import { adminRoutes } from '../../../shared/api/routes.ts'
import { summary } from '../measure.ts'
import { ask } from './ask.ts'
import { HostileClient } from './hostile-client.ts'

/** How long a normal picture takes, in milliseconds, and what became of the hostile ones. */
export interface BesideRow {
  readonly name: string
  readonly fileBytes: number
  readonly aloneMs: number
  readonly besideMs: number
  readonly worstMs: number
  /** Of one hostile picture, from its upload to its answer, while another is decoded. */
  readonly hostileMs: number
  /** Status, and the code of an error. */
  readonly outcome: string
}

/** A server, and two keys of it. */
export interface Target {
  readonly url: string
  readonly hostileKey: string
  readonly normalKey: string
}

/** Hostile pictures at a time. */
const hostileCount = 2

/** Hostile pictures of one kind, and when in their course a normal one is sent. */
export interface HostileKind {
  readonly name: string
  readonly file: Uint8Array
  /** Milliseconds after the hostile ones began to be sent. */
  readonly waitMs: number
}

/** Alternately asks about a normal picture alone, and beside hostile ones of another key. */
export async function measureBeside(
  target: Target,
  rounds: number,
  { name, file, waitMs }: HostileKind,
): Promise<BesideRow> {
  const [alone, beside, hostile]: number[][] = [[], [], []]
  let outcome = ''
  const client = new HostileClient({ url: target.url, key: target.hostileKey, file })
  for (let round = 0; round < rounds; round++) {
    alone!.push(await askNormally(target))
    const sent = client.send(hostileCount)
    await delay(waitMs)
    beside!.push(await askNormally(target))
    for (const asked of await sent) {
      hostile!.push(asked.ms)
      outcome = asked.outcome
    }
  }
  await client.close()
  return {
    name,
    fileBytes: file.length,
    aloneMs: summary(alone!).medianMs,
    besideMs: summary(beside!).medianMs,
    worstMs: Math.max(...beside!),
    hostileMs: summary(hostile!).medianMs,
    outcome,
  }
}

/** @param rootKey key of the server that may create others */
export async function openTarget(url: string, rootKey: string): Promise<Target> {
  const target = {
    url,
    hostileKey: await createKey(url, rootKey),
    normalKey: await createKey(url, rootKey),
  }
  for (let count = 0; count < 5; count++) await askNormally(target)
  return target
}

async function createKey(url: string, rootKey: string): Promise<string> {
  const { method, path } = adminRoutes.createKey
  const response = await fetch(url + path, {
    method,
    headers: { 'x-api-key': rootKey, 'content-type': 'application/json' },
    body: JSON.stringify({ note: 'hostile pictures' }),
  })
  const { key } = (await response.json()) as { key?: string }
  if (key === undefined) throw new Error(`The server created no key: ${response.status}`)
  return key
}

let normals = 0

/** A picture that no cache knows. @returns milliseconds */
async function askNormally({ url, normalKey }: Target): Promise<number> {
  const sample = await sharp(await readFile('docs/sample.png'))
    .raw()
    .toBuffer({ resolveWithObject: true })
  normals += 1
  sample.data.writeUInt32LE(normals, 0)
  const file = await sharp(sample.data, { raw: sample.info }).png().toBuffer()
  const { ms, outcome } = await ask({ url, key: normalKey, file })
  if (outcome !== '200') throw new Error(`A normal picture was answered ${outcome}`)
  return ms
}

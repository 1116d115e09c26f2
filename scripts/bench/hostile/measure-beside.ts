import { readFile } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'
import sharp from 'sharp'
import { adminRoutes, routes } from '../../../shared/api/routes.ts'
import { summary, timed } from '../measure.ts'

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
interface Target {
  readonly url: string
  readonly hostileKey: string
  readonly normalKey: string
}

/** Milliseconds after which hostile pictures have been uploaded and are being decoded; and what each of their bytes adds. */
const uploadedMs = 150
const uploadedMsPerByte = 1e-4

/** Hostile pictures at a time. */
const hostileCount = 2

/** Alternately asks about a normal picture alone, and beside hostile ones of another key. */
export async function measureBeside(
  target: Target,
  rounds: number,
  name: string,
  file: Uint8Array,
): Promise<BesideRow> {
  const [alone, beside, hostile]: number[][] = [[], [], []]
  let outcome = ''
  const sendHostile = async () => {
    const answer = await ask(target.url, target.hostileKey, file)
    outcome = answer.outcome
    hostile!.push(answer.ms)
  }
  for (let round = 0; round < rounds; round++) {
    alone!.push(await askNormally(target))
    const sent = Array.from({ length: hostileCount }, sendHostile)
    await delay(uploadedMs + uploadedMsPerByte * file.length)
    beside!.push(await askNormally(target))
    await Promise.all(sent)
  }
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
  const { ms, outcome } = await ask(url, normalKey, file)
  if (outcome !== '200') throw new Error(`A normal picture was answered ${outcome}`)
  return ms
}

async function ask(url: string, key: string, file: Uint8Array) {
  const form = new FormData()
  const fields = { prompt: 'Describe this image.', temperature: '0', max_tokens: '30' }
  for (const [field, value] of Object.entries(fields)) form.set(field, value)
  form.set('images', new Blob([file]), 'picture')
  const { method, path } = routes.image
  let outcome = ''
  const ms = await timed(async () => {
    const response = await fetch(url + path, { method, headers: { 'x-api-key': key }, body: form })
    const body = (await response.json()) as { error?: { code: string } }
    outcome = [response.status, body.error?.code].filter(Boolean).join(' ')
  })
  return { ms, outcome }
}

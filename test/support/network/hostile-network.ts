import { readFileSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { BlockList, isIPv6 } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import sharp from 'sharp'

/** One answer of the scripted network; the file's `how_to_run` explains the fields. */
export interface ScriptedAnswer {
  readonly status?: number
  readonly location?: string
  readonly type?: string
  readonly body?: BodyKind
  readonly bytes?: number
  readonly chunked?: boolean
  readonly content_length?: number
  readonly delay_ms?: number
  readonly drip_ms?: number
  readonly prefix?: string
  readonly close?: boolean
}

type BodyKind = 'jpeg' | 'png' | 'gif' | 'webp' | 'avif' | 'html' | 'svg' | 'empty' | 'truncated'

export interface HostileCase {
  readonly id: string
  readonly url: string
  readonly verdict: Verdict
  readonly also_ok?: Verdict
  readonly why: string
  readonly platform?: 'node'
  readonly must_not_connect?: readonly string[]
  readonly setup?: {
    readonly dns?: Record<string, readonly (readonly string[])[]>
    readonly http?: Record<string, ScriptedAnswer>
  }
}

export type Verdict = 'allow' | 'deny'

interface HostileList {
  readonly policy: { readonly timeout_ms: number }
  readonly defaults: { readonly dns: string }
  readonly count: number
  readonly cases: readonly HostileCase[]
}

export function readHostileUrls(): HostileList {
  const file =
    process.env['HOSTILE_URLS'] || new URL('../../golden/hostile-urls.json', import.meta.url)
  return JSON.parse(readFileSync(file, 'utf8')) as HostileList
}

/** The answers of one case, by URL; all other URLs return a small valid JPEG. */
export function scriptedAnswers(hostile: HostileCase): (url: string) => ScriptedAnswer {
  const answers = new Map(
    Object.entries(hostile.setup?.http ?? {}).map(([url, answer]) => [new URL(url).href, answer]),
  )
  return (url) => answers.get(url) ?? { status: 200, type: 'image/jpeg', body: 'jpeg' }
}

/** What one answer sends over the wire. */
export interface WireAnswer {
  readonly status: number
  readonly headers: Record<string, string>
  readonly pieces: readonly Uint8Array[]
  readonly delayMs: number
  readonly pauseMs: number
  /** The connection breaks after the last piece. */
  readonly breaks: boolean
}

const pieceBytes = 1024

export async function wireAnswer(answer: ScriptedAnswer): Promise<WireAnswer> {
  const status = answer.status ?? 200
  const body = answer.location === undefined ? await bodyBytes(answer) : new Uint8Array()
  const cut = answer.body === 'truncated'
  const declared = answer.content_length ?? (cut ? 4096 : body.length)
  // A length below the body's cannot be sent (the rest would be taken for another answer), so it is chunked.
  const chunked = answer.chunked === true || declared < body.length
  return {
    status,
    headers: {
      ...(answer.type !== undefined && { 'content-type': answer.type }),
      ...(answer.location !== undefined && { location: answer.location }),
      ...(answer.close === true && { connection: 'close' }),
      ...(chunked ? {} : { 'content-length': String(declared) }),
    },
    pieces: answer.drip_ms === undefined ? [body] : slices(body),
    delayMs: answer.delay_ms ?? 0,
    pauseMs: answer.drip_ms ?? 0,
    breaks: !chunked && declared > body.length,
  }
}

/** Milliseconds the scripted server may take for all its answers together. */
export async function scriptedMs(hostile: HostileCase): Promise<number> {
  const answers = await Promise.all(Object.values(hostile.setup?.http ?? {}).map(wireAnswer))
  return answers.reduce((sum, wire) => sum + wire.delayMs + wire.pauseMs * wire.pieces.length, 0)
}

async function bodyBytes(answer: ScriptedAnswer): Promise<Uint8Array> {
  const start = Buffer.concat([
    Buffer.from(answer.prefix ?? ''),
    await sample(answer.body ?? 'empty'),
  ])
  const padding = Math.max(0, (answer.bytes ?? 0) - start.length)
  return Buffer.concat([start, Buffer.alloc(padding)])
}

async function sample(kind: BodyKind): Promise<Uint8Array> {
  switch (kind) {
    case 'jpeg':
    case 'png':
    case 'gif':
    case 'webp':
    case 'avif':
      return sharp({ create: { width: 8, height: 8, channels: 3, background: '#369' } })
        .toFormat(kind)
        .toBuffer()
    case 'html':
      return Buffer.from('<!doctype html><title>A page</title><script>alert(1)</script>')
    case 'svg':
      return Buffer.from('<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>')
    case 'empty':
      return new Uint8Array()
    case 'truncated':
      return (await sample('jpeg')).subarray(0, 3)
  }
}

function slices(body: Uint8Array): Uint8Array[] {
  const count = Math.ceil(body.length / pieceBytes)
  return Array.from({ length: count }, (_, at) =>
    body.subarray(at * pieceBytes, (at + 1) * pieceBytes),
  )
}

/** Sends an answer over a connection, with its pauses, its lies and its early end. */
export async function sendAnswer(answer: ScriptedAnswer, response: ServerResponse): Promise<void> {
  const wire = await wireAnswer(answer)
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  response.on('error', () => gone.abort())
  const pause = (ms: number) => (ms > 0 ? sleep(ms, undefined, { signal: gone.signal }) : undefined)
  try {
    await pause(wire.delayMs)
    response.writeHead(wire.status, wire.headers)
    response.flushHeaders()
    for (const piece of wire.pieces) {
      await pause(wire.pauseMs)
      response.write(piece)
    }
    if (wire.breaks) response.destroy()
    else response.end()
  } catch (error) {
    if (!gone.signal.aborted) throw error
  }
}

/** Written independently of the product's own table, with Node's own matcher, so that both must agree. */
const forbiddenIpv4 = new BlockList()
const forbiddenIpv6 = new BlockList()
for (const [network, bits] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
  ['224.0.0.0', 3],
  ['168.63.129.16', 32],
] as const) {
  forbiddenIpv4.addSubnet(network, bits, 'ipv4')
}
for (const [network, bits] of [
  ['::', 3],
  ['4000::', 2],
  ['8000::', 1],
  ['2001::', 23],
  ['2001:db8::', 32],
  ['2002::', 16],
] as const) {
  forbiddenIpv6.addSubnet(network, bits, 'ipv6')
}

/** Verdicts that count as correct. */
export function acceptable(hostile: HostileCase): Verdict[] {
  return hostile.also_ok === undefined ? [hostile.verdict] : [hostile.verdict, hostile.also_ok]
}

/** Addresses to which no connection may have been opened. */
export function forbiddenAmong(connected: readonly string[], hostile: HostileCase): string[] {
  return connected.filter((address) => {
    if (hostile.must_not_connect?.includes(address) === true) return true
    // A v4-mapped address counts as its IPv4 address, which the matcher knows.
    const asIpv6 = isIPv6(address) && !address.startsWith('::ffff:')
    const blocks = asIpv6 ? forbiddenIpv6 : forbiddenIpv4
    return blocks.check(address, isIPv6(address) ? 'ipv6' : 'ipv4')
  })
}

import { setImmediate as nextTurn } from 'node:timers/promises'
import { ServiceError } from '../../../shared/api/errors.ts'
import { maxImageBytes } from '../../../shared/api/limits.ts'
import { joinChunks } from '../../../shared/bytes/join-chunks.ts'
import type { LiftedString } from './lifting-reader.ts'

/** Bytes of base64 that are decoded before other work gets a turn: half a millisecond. */
const pieceBytes = 256 * 1024

/** Characters of a data URI before its data: media types and their parameters take about 60. */
const maxHeadChars = 256

/** An escape of JSON or of URLs that may continue in the next piece. */
const openEscape = /(?:\\(?:u[0-9a-f]{0,3})?|%[0-9a-f]?)$/i

const escapeOrSpace = /\\(?:u([0-9a-f]{4})|(.))|%([0-9a-f]{2})|\s+/gi

const base64 = /^[A-Za-z0-9+/]*$/

interface Options {
  /** Name of the image in errors. */
  readonly name: string
  readonly param: string
}

/**
 * Decodes the file in a base64 data URI (RFC 2397), given as raw JSON string content. As in browsers, white space is
 * skipped, and characters may be percent-encoded; the media type is ignored.
 * @throws {ServiceError} `invalid_field` when it is not one; `empty_image`; `body_too_large`
 */
export async function decodeDataUri(text: LiftedString, options: Options): Promise<Uint8Array> {
  const head = Buffer.concat(text.slice(0, 8)).toString('latin1', 0, maxHeadChars)
  const [, start] =
    /^(?:\s|\\[nrt])*(data:[^,]*;\s*base64\s*,)/i.exec(head.replaceAll('\\/', '/')) ?? []
  if (start === undefined) {
    throw refusal(options, 'expected an http(s) URL, or a data URI in base64')
  }
  return decodeBase64(without(text, head.indexOf(',') + 1), options)
}

/** Decodes the file in a base64 text, given as raw JSON string content. @throws {ServiceError} as `decodeDataUri` */
export async function decodeBase64(text: LiftedString, options: Options): Promise<Uint8Array> {
  const decoded: Uint8Array[] = []
  let bytes = 0
  let rest = ''
  let open = ''
  let padding = ''
  for (const piece of piecesOf(text)) {
    const sent = open + latin1(piece)
    open = openEscape.exec(sent)?.[0] ?? ''
    const clean = rest + unescape(open === '' ? sent : sent.slice(0, -open.length))
    const data = withoutPadding(clean)
    const isPadded = padding !== '' && data.length > rest.length
    if (!base64.test(data) || isPadded) throw refusal(options, notBase64)
    padding += clean.slice(data.length)
    const whole = data.length - (data.length % 4)
    rest = data.slice(whole)
    const file = Buffer.from(data.slice(0, whole), 'base64')
    decoded.push(file)
    bytes += file.length
    if (bytes > maxImageBytes) throw tooLarge(options)
    await nextTurn()
  }
  if (open !== '' || rest.length === 1 || padding.length > 2) throw refusal(options, notBase64)
  decoded.push(Buffer.from(rest, 'base64'))
  const file = joinChunks(decoded)
  if (file.length > 0) return file
  throw new ServiceError('empty_image', `Cannot read ${options.name}: it is empty`, options)
}

const notBase64 = 'expected base64'

function* piecesOf(text: LiftedString): Generator<Uint8Array> {
  for (const chunk of text) {
    for (let at = 0; at < chunk.length; at += pieceBytes) yield chunk.subarray(at, at + pieceBytes)
  }
}

function latin1(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1')
}

/** Some clients escape the slashes of base64, and others its plus signs, for JSON or as in a URL. */
function unescape(text: string): string {
  if (!/[\\%\s]/.test(text)) return text
  return text.replaceAll(escapeOrSpace, (_all, json?: string, character?: string, url?: string) => {
    const code = json ?? url
    if (code !== undefined) return String.fromCharCode(Number.parseInt(code, 16)).trim()
    if (character === undefined) return ''
    return 'nrt'.includes(character) ? '' : character
  })
}

function withoutPadding(text: string): string {
  let end = text.length
  while (text[end - 1] === '=') end -= 1
  return text.slice(0, end)
}

function without(text: LiftedString, bytes: number): Uint8Array[] {
  let left = bytes
  return text.map((chunk) => {
    const kept = chunk.subarray(Math.min(left, chunk.length))
    left -= chunk.length - kept.length
    return kept
  })
}

function refusal({ name, param }: Options, what: string): ServiceError {
  return new ServiceError('invalid_field', `${param}: ${what} (${name})`, { param })
}

function tooLarge({ name, param }: Options): ServiceError {
  const message = `Cannot read ${name}: it is over the limit of ${maxImageBytes} bytes`
  return new ServiceError('body_too_large', message, { param })
}

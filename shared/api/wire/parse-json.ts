import { ServiceError } from '../errors.ts'

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

/** Nesting depth of lists and objects: far more than any request needs, and little enough to parse quickly. */
export const maxJsonDepth = 1_000

/**
 * Different names in lists and objects, about three times what the largest schema takes. Parsing takes a microsecond for each, and
 * next to nothing for one that was seen before.
 */
const maxJsonNames = 16_384

/** Parses a JSON body, skipping a byte order mark. @throws {ServiceError} `invalid_json` */
export function parseJsonBytes(bytes: Uint8Array): unknown {
  const text = decodeUtf8(bytes)
  if (isDeeperThan(maxJsonDepth, bytes)) {
    const message = `The request body nests lists and objects more than ${maxJsonDepth} levels deep`
    throw new ServiceError('invalid_json', message)
  }
  if (hasMoreNamesThan(maxJsonNames, bytes)) {
    const message = `The request body has more than ${maxJsonNames} different field names`
    throw new ServiceError('invalid_json', message)
  }
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw new ServiceError('invalid_json', 'The request body is not valid JSON', { cause })
  }
}

/** The value of a JSON body; undefined when it is not valid, for code that leaves judging it to others. */
export function tryParseJson(bytes: Uint8Array): unknown {
  try {
    return parseJsonBytes(bytes)
  } catch {
    return undefined
  }
}

function decodeUtf8(bytes: Uint8Array): string {
  try {
    return strictUtf8.decode(bytes)
  } catch (cause) {
    throw new ServiceError('invalid_json', 'The request body is not valid UTF-8', { cause })
  }
}

const [quote, backslash] = [0x22, 0x5c]
const [openList, closeList, openObject, closeObject] = [0x5b, 0x5d, 0x7b, 0x7d]

/** A cheap check first: `JSON.parse` takes half a second for a million brackets. */
export function isDeeperThan(limit: number, bytes: Uint8Array): boolean {
  let depth = 0
  for (let at = 0; at < bytes.length; at += 1) {
    const byte = bytes[at]
    if (byte === quote) at = endOfString(bytes, at + 1)
    else if (byte === openList || byte === openObject) {
      depth += 1
      if (depth > limit) return true
    } else if (byte === closeList || byte === closeObject) depth -= 1
  }
  return false
}

const colon = 0x3a

/** A name takes at least this many bytes: quotes, colon, value and comma. */
const leastNameBytes = 6

/** Another cheap check: `JSON.parse` takes a tenth of a second for 100,000 different names. */
function hasMoreNamesThan(limit: number, bytes: Uint8Array): boolean {
  if (bytes.length < limit * leastNameBytes) return false
  // Some names share a place, so that a few more than the limit may pass.
  const seen = new Uint8Array(16 * limit)
  let names = 0
  for (let at = 0; at < bytes.length; at += 1) {
    if (bytes[at] !== quote) continue
    const end = endOfString(bytes, at + 1)
    if (isBeforeColon(bytes, end + 1)) {
      const place = hashOf(bytes, at + 1, end) % seen.length
      if (seen[place] === 0) names += 1
      if (names > limit) return true
      seen[place] = 1
    }
    at = end
  }
  return false
}

function isBeforeColon(bytes: Uint8Array, from: number): boolean {
  let at = from
  while (bytes[at] === 0x20 || bytes[at] === 0x0a || bytes[at] === 0x0d || bytes[at] === 0x09)
    at += 1
  return bytes[at] === colon
}

/** FNV-1a (Fowler, Noll, Vo). */
function hashOf(bytes: Uint8Array, from: number, to: number): number {
  let hash = 0x811c_9dc5
  for (let at = from; at < to; at++) hash = Math.imul(hash ^ bytes[at]!, 0x0100_0193)
  return hash >>> 0
}

/** @returns index of the closing quote, or of the end */
function endOfString(bytes: Uint8Array, from: number): number {
  let at = from
  while (at < bytes.length && bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1
  return at
}

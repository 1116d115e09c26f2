import { ServiceError } from '../errors.ts'

const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: false })

/** Nesting depth of lists and objects: far more than any request needs, and little enough to parse quickly. */
export const maxJsonDepth = 1_000

/** Parses a JSON body, skipping a byte order mark. @throws {ServiceError} `invalid_json` */
export function parseJsonBytes(bytes: Uint8Array): unknown {
  const text = decodeUtf8(bytes)
  if (isDeeperThan(maxJsonDepth, bytes)) {
    const message = `The request body nests lists and objects more than ${maxJsonDepth} deep`
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

/** @returns index of the closing quote, or of the end */
function endOfString(bytes: Uint8Array, from: number): number {
  let at = from
  while (at < bytes.length && bytes[at] !== quote) at += bytes[at] === backslash ? 2 : 1
  return at
}

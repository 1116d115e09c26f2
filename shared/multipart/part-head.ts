import { parseParameters } from '../api/parameters.ts'

/** What the header fields of a part say (RFC 7578, section 4). */
export interface PartHead {
  /** Undefined when the part is no form field. */
  readonly name: string | undefined
  /** Undefined when none is given; empty for a file input that was left alone. */
  readonly fileName: string | undefined
  /** The character set of a text, as the client spells it. */
  readonly charset: string | undefined
  /** In lower case; empty when none is given. */
  readonly transferEncoding: string
}

const utf8 = new TextDecoder()

/** @param bytes the header fields, without the empty line behind them */
export function parsePartHead(bytes: Uint8Array): PartHead {
  const fields = new Map<string, string>()
  // A line that begins with a blank continues the one before it.
  const unfolded = utf8.decode(bytes).replace(/\r?\n(?=[ \t])/g, '')
  for (const line of unfolded.split('\n')) {
    const colon = line.indexOf(':')
    const name = line.slice(0, Math.max(0, colon)).trim().toLowerCase()
    if (!fields.has(name)) fields.set(name, line.slice(colon + 1).trim())
  }
  const disposition = parseParameters(fields.get('content-disposition') ?? '')
  const isField = disposition.value === 'form-data'
  return {
    name: isField ? disposition.parameters.get('name') : undefined,
    fileName: disposition.parameters.get('filename'),
    charset: parseParameters(fields.get('content-type') ?? '').parameters.get('charset'),
    transferEncoding: (fields.get('content-transfer-encoding') ?? '').toLowerCase(),
  }
}

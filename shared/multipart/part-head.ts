import { parseParameters } from '../api/wire/parameters.ts'

/** The meaning of a part's header fields (RFC 7578, section 4). */
export interface PartHead {
  /** Undefined when the part is not a form field. */
  readonly name: string | undefined
  /** Undefined when absent; empty for an empty file input. */
  readonly fileName: string | undefined
  /** Character set of a text part, as the client spells it. */
  readonly charset: string | undefined
  /** In lower case; empty when absent. */
  readonly transferEncoding: string
}

const utf8 = new TextDecoder()

/** @param bytes the header fields, without the empty line after them */
export function parsePartHead(bytes: Uint8Array): PartHead {
  const fields = new Map<string, string>()
  // A line that begins with white space continues the previous one.
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

import { describe, expect, it } from 'vitest'
import { expectLinear } from '../../test/support/expect-linear.ts'
import { ServiceError } from '../api/errors.ts'
import { FormReader } from './form-reader.ts'
import { MultipartScanner } from './multipart-scanner.ts'

const bytes = (text: string) => new TextEncoder().encode(text)
const head = '--x\r\nContent-Disposition: form-data; name="prompt"'

/** Reads as far as the form can be read. */
function scan(chunks: readonly Uint8Array[]): void {
  const scanner = new MultipartScanner('x')
  const reader = new FormReader('multipart/form-data; boundary=x', new Set())
  for (const step of [
    (chunk: Uint8Array) => [...scanner.push(chunk)],
    (chunk: Uint8Array) => reader.push(chunk),
  ]) {
    try {
      for (const chunk of chunks) step(chunk)
    } catch (error) {
      if (!(error instanceof ServiceError)) throw error
    }
  }
}

function inPieces(text: string, size: number): Uint8Array[] {
  const whole = bytes(text)
  return Array.from({ length: Math.ceil(whole.length / size) }, (_, at) =>
    whole.subarray(at * size, (at + 1) * size),
  )
}

describe('hostile forms', () => {
  it.each([
    ['lines that name a file', '--x\r\n', 'content-disposition: filename '],
    [
      'headers that name files',
      '--x\r\n',
      'content-disposition: form-data; name="images"; filename="a" ',
    ],
    ['a text that names files', `${head}\r\n\r\n`, 'content-disposition: filename '],
    ['parameters without end', head, ';'],
    ['parameters of one name', head, ';name=a'],
    ['an open quote', `${head}; filename="`, '\\'],
    ['quoted semicolons', `${head}; filename="`, ';'],
    ['folded lines', head, '\r\n '],
    ['blank headers', head, '\r\n:'],
    ['line breaks', `${head}\r\n\r\n`, '\r\n'],
    ['carriage returns', `${head}\r\n\r\n`, '\r'],
    ['almost delimiters', `${head}\r\n\r\n`, '\r\n--y'],
    ['delimiters with too much behind', `${head}\r\n\r\n`, `\r\n--x${' '.repeat(255)}y`],
    ['blanks behind a delimiter', `${head}\r\n\r\na\r\n--x`, ' '],
    ['parts', '', '--x\r\n\r\n\r\n'],
    ['parts with names', '', `${head}\r\n\r\na\r\n`],
    ['a preamble of dashes', '', '\n--'],
    ['base64', `${head}\r\nContent-Transfer-Encoding: base64\r\n\r\n`, 'QUJD\r\n'],
    [
      'soft line breaks',
      `${head}\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n`,
      '= \r\n',
    ],
  ])('cost time in proportion to their bytes: %s', (_name, start, repeated) => {
    const text = (size: number) => start + repeated.repeat(Math.ceil(size / repeated.length))
    expectLinear((size) => [bytes(text(size))], scan, 20_000)
    expectLinear((size) => inPieces(text(size), 1), scan, 1_000)
  })

  it('of a million parts are refused at the 129th', () => {
    const scanner = new MultipartScanner('x')
    let parts = 0
    const read = () => {
      for (const { type } of scanner.push(bytes('--x\r\n\r\n\r\n'.repeat(1_000_000)))) {
        if (type === 'part') parts += 1
      }
    }
    expect(read).toThrow('it has over 128 parts')
    expect(parts).toBe(128)
  })
})

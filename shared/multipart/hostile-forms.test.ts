import { describe, expect, it } from 'vitest'
import { expectLinear } from '../../test/support/expect-linear.ts'
import { hostileForms } from '../../test/support/hostile-forms.ts'
import { ServiceError } from '../api/errors.ts'
import { FormReader } from './form-reader.ts'
import { MultipartScanner } from './multipart-scanner.ts'

const bytes = (text: string) => new TextEncoder().encode(text)

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
  it.each(hostileForms)('cost time in proportion to their bytes: %s', (_name, start, repeated) => {
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

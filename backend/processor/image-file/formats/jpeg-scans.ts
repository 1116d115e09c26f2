import { maxJpegPasses, maxJpegScans, smallJpegScanSamples } from '../decode-limits.ts'
import { isArithmetic, isProgressive, type JpegFrame } from './jpeg-frame.ts'
import type { JpegSegment } from './jpeg-segments.ts'

/** Coefficients of a block: 8 x 8. */
const coefficients = 64

/** Marks a coefficient that no scan has coded yet. */
const untold = 255

/**
 * Cost and coverage of the scans of one JPEG. Decoders pass over all blocks of a scan's components, even if the scan
 * contains hardly any bits.
 */
export class JpegScans {
  readonly #frame: JpegFrame
  /** Per component, the lowest bit coded so far of each coefficient (Al of ITU-T T.81, B.2.3). */
  readonly #lowestBits: readonly Uint8Array[]
  #count = 0
  #samples = 0
  #ended = false

  constructor(frame: JpegFrame) {
    this.#frame = frame
    this.#lowestBits = frame.components.map(() => new Uint8Array(coefficients).fill(untold))
  }

  /** Whether the end marker was found. */
  get ended(): boolean {
    return this.#ended
  }

  get isArithmetic(): boolean {
    return isArithmetic(this.#frame)
  }

  /** Whether the scans so far code every bit of every coefficient, without looking at the last scan's own data. */
  get complete(): boolean {
    return this.#lowestBits.every((bits) => bits.every((bit) => bit === 0))
  }

  /** @param segment a scan header */
  add(file: Uint8Array, { start, end }: JpegSegment): void {
    const named = file[start] ?? 0
    this.#count += 1
    const after = start + 1 + 2 * named
    if (after + 3 > end) return
    const partial = isProgressive(this.#frame)
    const [from, to] = partial ? [file[after]!, file[after + 1]!] : [0, coefficients - 1]
    const lowestBit = partial ? file[after + 2]! & 15 : 0
    for (let at = start + 1; at < after; at += 2) {
      const index = this.#frame.components.findIndex(({ id }) => id === file[at])
      if (index < 0) continue
      this.#samples += this.#frame.components[index]!.samples
      this.#lowestBits[index]!.fill(lowestBit, from, to + 1)
    }
  }

  end(): void {
    this.#ended = true
  }

  /** The limit that is exceeded, for the error message; undefined when none is. */
  tooMuch(): string | undefined {
    if (this.#count > maxJpegScans) return `it has more than ${maxJpegScans} scans`
    const once = this.#frame.components.reduce((sum, { samples }) => sum + samples, 0)
    const limit = Math.max(smallJpegScanSamples, maxJpegPasses * once)
    if (this.#samples <= limit) return undefined
    return `its scans pass over it more than ${Math.floor(limit / once)} times`
  }
}

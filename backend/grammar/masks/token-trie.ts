import { commonLength } from '../common-length.ts'

/** Byte texts as a trie in byte order: a node's descendants directly follow it. */
export class TokenTrie {
  /** By node. */
  readonly bytes: Uint8Array
  readonly depths: Uint16Array
  /** The text that ends at a node, or -1. */
  readonly ids: Int32Array
  /** The first node that is not a descendant. */
  readonly skips: Int32Array
  /** Bytes of the longest text. */
  readonly longest: number

  /** @param texts not empty; of equal ones, the last counts */
  constructor(texts: readonly { readonly id: number; readonly bytes: Uint8Array }[]) {
    const sorted = texts.filter(({ bytes }) => bytes.length > 0)
    sorted.sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    const room = sorted.reduce((sum, { bytes }) => sum + bytes.length, 0)
    const nodes = {
      bytes: new Uint8Array(room),
      depths: new Uint16Array(room),
      ids: new Int32Array(room).fill(-1),
    }
    let count = 0
    let before: Uint8Array = new Uint8Array()
    for (const { id, bytes } of sorted) {
      for (let depth = commonLength(before, bytes); depth < bytes.length; depth++) {
        nodes.bytes[count] = bytes[depth]!
        nodes.depths[count++] = depth
      }
      nodes.ids[count - 1] = id
      before = bytes
    }
    this.bytes = nodes.bytes.slice(0, count)
    this.depths = nodes.depths.slice(0, count)
    this.ids = nodes.ids.slice(0, count)
    this.skips = skipsOf(this.depths)
    this.longest = this.depths.reduce((longest, depth) => Math.max(longest, depth + 1), 0)
  }

  get size(): number {
    return this.bytes.length
  }

  /** The longest text at a position. @returns its id and length; undefined when there is none */
  longestAt(
    text: Uint8Array,
    at: number,
  ): { readonly id: number; readonly length: number } | undefined {
    let longest: { readonly id: number; readonly length: number } | undefined
    let node = 0
    let end = this.size
    for (let depth = 0; at + depth < text.length; depth++) {
      while (node < end && this.bytes[node] !== text[at + depth]) node = this.skips[node]!
      if (node >= end) break
      if (this.ids[node]! >= 0) longest = { id: this.ids[node]!, length: depth + 1 }
      end = this.skips[node]!
      node += 1
    }
    return longest
  }
}

/** By node, the number of levels down to its deepest descendant; descendants directly follow their node. */
export function heightsOf(depths: Uint16Array): Uint16Array {
  const heights = new Uint16Array(depths.length)
  // By depth: the deepest level found below the nodes visited since the latest node above.
  const deepest: number[] = []
  for (let node = depths.length - 1; node >= 0; node--) {
    const depth = depths[node]!
    const below = Math.max(depth, deepest[depth + 1] ?? 0)
    heights[node] = below - depth
    deepest[depth] = Math.max(deepest[depth] ?? 0, below)
    deepest[depth + 1] = 0
  }
  return heights
}

/** By node, the first one that is not a descendant; descendants directly follow their node. */
export function skipsOf(depths: Uint16Array): Int32Array {
  const skips = new Int32Array(depths.length)
  const open: number[] = []
  for (let node = 0; node < depths.length; node++) {
    while (open.length > depths[node]!) skips[open.pop()!] = node
    open.push(node)
  }
  for (const node of open) skips[node] = depths.length
  return skips
}

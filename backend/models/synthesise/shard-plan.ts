/** A tensor in a safetensors file. */
export interface PlannedTensor {
  readonly name: string
  readonly dtype: 'BF16' | 'F32'
  readonly shape: readonly number[]
  readonly byteLength: number
}

export interface Shard {
  /** Without the folder. */
  readonly fileName: string
  readonly tensors: readonly PlannedTensor[]
}

/** As Hugging Face's tools split checkpoints: 5 GB. */
const largestShardBytes = 5_000_000_000

/** Puts tensors in files in the order given, as many in each as fit. */
export function planShards(
  tensors: readonly PlannedTensor[],
  mostBytes = largestShardBytes,
): Shard[] {
  const groups: PlannedTensor[][] = []
  let left = 0
  for (const tensor of tensors) {
    if (tensor.byteLength > left) {
      groups.push([])
      left = mostBytes
    }
    groups.at(-1)!.push(tensor)
    left -= tensor.byteLength
  }
  const padded = (n: number) => String(n).padStart(5, '0')
  return groups.map((group, i) => ({
    fileName: `model-${padded(i + 1)}-of-${padded(groups.length)}.safetensors`,
    tensors: group,
  }))
}

/** `model.safetensors.index.json`. */
export function shardIndex(shards: readonly Shard[]) {
  const placed = shards.flatMap(({ fileName, tensors }) =>
    tensors.map((tensor) => ({ ...tensor, fileName })),
  )
  return {
    metadata: { total_size: placed.reduce((sum, { byteLength }) => sum + byteLength, 0) },
    weight_map: Object.fromEntries(placed.map(({ name, fileName }) => [name, fileName])),
  }
}

/** The start of a safetensors file: the length of the header in 8 bytes, and the header as JSON. */
export function shardHeader({ tensors }: Shard): Uint8Array {
  let at = 0
  const entries = tensors.map(({ name, dtype, shape, byteLength }) => {
    const begin = at
    at += byteLength
    return [name, { dtype, shape, data_offsets: [begin, at] }] as const
  })
  const json = JSON.stringify({ __metadata__: { format: 'pt' }, ...Object.fromEntries(entries) })
  // Padded with spaces so that data begin at a multiple of 8.
  const text = Buffer.from(json.padEnd(Math.ceil(json.length / 8) * 8))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(text.length))
  return Buffer.concat([length, text])
}

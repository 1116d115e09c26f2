import { open, rename, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import { fillTensorRows } from './random-tensor.ts'
import { shardHeader, type PlannedTensor, type Shard } from './shard-plan.ts'

/** Bytes per write: while one buffer is written, the next is filled. */
const bufferBytes = 8 * 1024 * 1024

interface ShardOptions {
  /** Of rotary positions, for the buffers of their frequencies. */
  readonly ropeTheta: number
  readonly onBytes: (count: number) => void
  readonly signal: AbortSignal
}

/** Writes a shard, which gets its name when it is complete. */
export async function writeShard(
  folder: string,
  shard: Shard,
  options: ShardOptions,
): Promise<void> {
  const file = join(folder, shard.fileName)
  const handle = await open(`${file}.part`, 'w')
  try {
    const writer = new BufferedFile(handle)
    await writer.write(shardHeader(shard))
    for (const tensor of shard.tensors) await writeTensor(writer, tensor, options)
    await writer.flush()
    await handle.sync()
  } finally {
    await handle.close()
  }
  await rename(`${file}.part`, file)
}

async function writeTensor(
  writer: BufferedFile,
  { name, dtype, shape, byteLength }: PlannedTensor,
  { ropeTheta, onBytes, signal }: ShardOptions,
): Promise<void> {
  if (dtype === 'F32') {
    await writer.write(inverseFrequencies(shape[0]!, ropeTheta))
    return
  }
  const rowBytes = byteLength / shape[0]!
  const rowsAtOnce = Math.max(1, Math.floor(bufferBytes / rowBytes))
  for (let start = 0; start < shape[0]!; start += rowsAtOnce) {
    signal.throwIfAborted()
    const length = Math.min(rowsAtOnce, shape[0]! - start) * rowBytes
    await writer.fill(length, (target) => fillTensorRows(target, { name, dims: shape, start }))
    onBytes(length)
  }
}

/** theta^(-i / n) */
function inverseFrequencies(count: number, theta: number): Uint8Array {
  const values = Float32Array.from({ length: count }, (_, i) => theta ** (-i / count))
  return new Uint8Array(values.buffer)
}

/** Writes one buffer while the other is being filled. */
class BufferedFile {
  readonly #file: FileHandle
  #free = new Uint16Array(bufferBytes / 2)
  #used = new Uint16Array(bufferBytes / 2)
  #writing: Promise<void> = Promise.resolve()

  constructor(file: FileHandle) {
    this.#file = file
  }

  /** Appends bytes that the caller does not change before `flush`. */
  async write(bytes: Uint8Array): Promise<void> {
    await this.#writing
    this.#writing = this.#append(bytes)
    await this.#writing
  }

  /** Appends what `make` puts into memory of `length` bytes. */
  async fill(length: number, make: (target: Uint16Array) => void): Promise<void> {
    if (length > this.#free.byteLength) this.#free = new Uint16Array(length / 2)
    const target = this.#free.subarray(0, length / 2)
    make(target)
    await this.#writing
    this.#writing = this.#append(new Uint8Array(target.buffer, 0, length))
    // Awaited before the next write; until then a failure must not count as unhandled.
    this.#writing.catch(() => {})
    ;[this.#free, this.#used] = [this.#used, this.#free]
  }

  flush(): Promise<void> {
    return this.#writing
  }

  async #append(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.length;) {
      done += (await this.#file.write(bytes, done, bytes.length - done)).bytesWritten
    }
  }
}

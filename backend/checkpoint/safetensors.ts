import { readSync } from 'node:fs'
import type { FileHandle } from 'node:fs/promises'
import * as z from 'zod'
import { CheckpointError, copyAgain } from './checkpoint-error.ts'
import { lfsPointerProblem, lfsPointerStart } from './lfs-pointer.ts'

/** Where one tensor is stored in its file. */
export interface TensorLocation {
  readonly type: string
  readonly dims: readonly number[]
  /** Position of its first byte in the file. */
  readonly offset: number
  readonly byteLength: number
}

/** Bytes of a header: the real model's index is 588 kB for seven files; anything larger than this is not a header. */
const maxHeaderBytes = 100 * 1024 * 1024
const bytesPerElement: Readonly<Record<string, number>> = {
  BF16: 2,
  F16: 2,
  F32: 4,
  F64: 8,
  I64: 8,
  I32: 4,
  U8: 1,
}

const entrySchema = z.object({
  dtype: z.string(),
  shape: z.array(z.int().min(0)),
  data_offsets: z.tuple([z.int().min(0), z.int().min(0)]),
})

/**
 * Reads the header of a safetensors file: 8 bytes of little-endian length, then JSON
 * (github.com/huggingface/safetensors, "Format").
 * @throws {CheckpointError} naming the file, when header and file disagree
 */
export async function readSafetensorsHeader(
  file: FileHandle,
  name: string,
): Promise<Map<string, TensorLocation>> {
  const { size } = await file.stat()
  await refuseLfsPointer(file, name, size)
  const prefix = await readExactly(file, 0, 8, name)
  const headerBytes = Number(new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true))
  if (headerBytes > maxHeaderBytes || 8 + headerBytes > size) {
    throw new CheckpointError(
      `${name} is not a safetensors file, since its header claims ${headerBytes} bytes: ${copyAgain}`,
    )
  }
  const header = parseHeader(await readExactly(file, 8, headerBytes, name), name)
  const tensors = new Map<string, TensorLocation>()
  for (const [tensor, value] of Object.entries(header)) {
    if (tensor === '__metadata__') continue
    tensors.set(tensor, locate(tensor, value, { dataStart: 8 + headerBytes, size, file: name }))
  }
  return tensors
}

async function refuseLfsPointer(file: FileHandle, name: string, size: number): Promise<void> {
  const start = await readExactly(file, 0, Math.min(size, lfsPointerStart.length), name)
  if (Buffer.from(start).toString('latin1') !== lfsPointerStart) return
  throw new CheckpointError(`${name} ${lfsPointerProblem}`)
}

function parseHeader(bytes: Uint8Array, name: string): object {
  try {
    const header: unknown = JSON.parse(new TextDecoder().decode(bytes))
    if (typeof header === 'object' && header !== null) return header
  } catch (cause) {
    throw new CheckpointError(
      `${name} is not a safetensors file, since its header is not JSON: ${copyAgain}`,
      {
        cause,
      },
    )
  }
  throw new CheckpointError(
    `${name} is not a safetensors file, since its header is not an object: ${copyAgain}`,
  )
}

function locate(
  tensor: string,
  value: unknown,
  { dataStart, size, file }: { dataStart: number; size: number; file: string },
): TensorLocation {
  const entry = entrySchema.safeParse(value)
  if (!entry.success)
    throw new CheckpointError(`${file}: the header entry of ${tensor} is malformed: ${copyAgain}`)
  const { dtype, shape, data_offsets } = entry.data
  const byteLength = data_offsets[1] - data_offsets[0]
  const elementBytes = bytesPerElement[dtype]
  const expected = shape.reduce((product, n) => product * n, elementBytes ?? NaN)
  if (elementBytes === undefined || byteLength !== expected || dataStart + data_offsets[1] > size) {
    throw new CheckpointError(
      `${file}: ${tensor} of type ${dtype} and shape [${shape.join()}] does not fit its ${byteLength} bytes: ${copyAgain}`,
    )
  }
  return { type: dtype, dims: shape, offset: dataStart + data_offsets[0], byteLength }
}

/** Reads `length` bytes at `position`. @throws {CheckpointError} when the file is shorter */
export async function readExactly(
  file: FileHandle,
  position: number,
  length: number,
  name: string,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(length)
  let done = 0
  while (done < length) {
    const { bytesRead } = await file.read(bytes, done, length - done, position + done)
    if (bytesRead === 0)
      throw new CheckpointError(`${name} ends early, at byte ${position + done}: ${copyAgain}`)
    done += bytesRead
  }
  return bytes
}

/** Fills `bytes` from `position` on, blocking this thread. @throws {CheckpointError} when the file is shorter */
export function fillExactly(
  bytes: Uint8Array,
  { fd }: FileHandle,
  position: number,
  name: string,
): Uint8Array {
  for (let done = 0; done < bytes.length;) {
    const read = readSync(fd, bytes, done, bytes.length - done, position + done)
    if (read === 0)
      throw new CheckpointError(`${name} ends early, at byte ${position + done}: ${copyAgain}`)
    done += read
  }
  return bytes
}

import { open, type FileHandle } from 'node:fs/promises'
import type { ExternalInitializer } from './onnx-proto.ts'

/** Reads a weight's bytes. */
export type ReadWeight = (weight: ExternalInitializer) => Promise<Uint8Array>

/**
 * Reads weights from a weights file while `use` runs.
 * @throws {RangeError} when the file ends inside a weight
 */
export async function withWeightsFile<Result>(
  path: string,
  use: (readWeight: ReadWeight) => Promise<Result>,
): Promise<Result> {
  const file = await open(path, 'r')
  try {
    return await use((weight) => readWeight(file, weight))
  } finally {
    await file.close()
  }
}

async function readWeight(
  file: FileHandle,
  { name, offset, byteLength }: ExternalInitializer,
): Promise<Uint8Array> {
  const bytes = new Uint8Array(byteLength)
  for (let done = 0; done < byteLength;) {
    const { bytesRead } = await file.read(bytes, done, byteLength - done, offset + done)
    if (bytesRead === 0) throw new RangeError(`the weights file ends inside ${name}`)
    done += bytesRead
  }
  return bytes
}

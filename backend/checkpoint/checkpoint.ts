import { existsSync } from 'node:fs'
import { open, readFile, stat, type FileHandle } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { halvesMemory } from '../graph/kernels/kernels.ts'
import type { WeightSource } from '../graph/weight-source.ts'
import { CheckpointError, copyAgain, remedyOf } from './checkpoint-error.ts'
import { floatTypes, toFloat32, type FloatType } from './half-float.ts'
import { fillExactly, readSafetensorsHeader, type TensorLocation } from './safetensors.ts'

/** Named tensors, read on demand. */
export interface Checkpoint {
  /** Name -> shape of every tensor. */
  readonly shapes: ReadonlyMap<string, readonly number[]>
  /** Name -> element type of every tensor, such as BF16. */
  readonly types: ReadonlyMap<string, string>
  /** Name -> the file that holds it; empty when there are no files. */
  readonly files: ReadonlyMap<string, string>
  /** @throws {CheckpointError} when there is no tensor of that name, or it does not hold floats */
  tensor(name: string): CheckpointTensor
  close(): Promise<void>
}

/** A tensor of the checkpoint, readable as float32 rows or as its own bytes. */
export interface CheckpointTensor extends WeightSource {
  readonly type: FloatType
  readRawRows(start: number, count: number): Promise<Uint8Array>
}

interface StoredTensor extends TensorLocation {
  readonly file: FileHandle
  readonly fileName: string
}

const indexFileName = 'model.safetensors.index.json'
const singleFileName = 'model.safetensors'
const indexSchema = z.object({ weight_map: z.record(z.string(), z.string().regex(/^[^/\\]+$/)) })

/** File names of a checkpoint folder's weights, without reading them: the shards in the index, or the single file. */
export async function weightFileNames(folder: string): Promise<string[]> {
  const weightMap = await readIndex(folder)
  return weightMap === undefined
    ? [singleFileName]
    : [...new Set(Object.values(weightMap))].toSorted()
}

async function readIndex(folder: string): Promise<Record<string, string> | undefined> {
  const indexFile = join(folder, indexFileName)
  if (!existsSync(indexFile) && existsSync(join(folder, singleFileName))) return undefined
  try {
    return indexSchema.parse(JSON.parse(await readFile(indexFile, 'utf8'))).weight_map
  } catch (cause) {
    throw new CheckpointError(`${indexFile} is missing or malformed: ${copyAgain}`, { cause })
  }
}

/**
 * Opens the safetensors files of a Hugging Face checkpoint folder, through its index when it is sharded.
 * @throws {CheckpointError} when the index and the files disagree, naming the tensor
 */
export async function openCheckpoint(folder: string): Promise<Checkpoint> {
  const weightMap = await readIndex(folder)
  const files: FileHandle[] = []
  const closeAll = async () => {
    await Promise.all(files.map((file) => file.close()))
  }
  try {
    const tensors = new Map<string, StoredTensor>()
    for (const fileName of await weightFileNames(folder)) {
      const file = await openWeightFile(folder, fileName)
      files.push(file)
      const path = join(folder, fileName)
      for (const [name, location] of await readSafetensorsHeader(file, path)) {
        if (weightMap !== undefined && weightMap[name] !== fileName) {
          throw new CheckpointError(
            `${path} holds ${name}, which ${indexFileName} does not place there: download or copy both again`,
          )
        }
        tensors.set(name, { ...location, file, fileName })
      }
    }
    const missing = Object.keys(weightMap ?? {}).find((name) => !tensors.has(name))
    if (missing !== undefined) {
      throw new CheckpointError(
        `${join(folder, weightMap?.[missing] ?? '')} lacks ${missing}, which ${indexFileName} places there: download or copy both again`,
      )
    }
    return checkpointOf(tensors, closeAll)
  } catch (error) {
    await closeAll()
    throw error
  }
}

async function openWeightFile(folder: string, fileName: string): Promise<FileHandle> {
  const path = join(folder, fileName)
  try {
    if ((await stat(path)).isFile()) return await open(path, 'r')
  } catch (cause) {
    const reason = cause as NodeJS.ErrnoException
    const problem = `cannot be opened (${reason.code}): ${remedyOf(reason)}`
    throw new CheckpointError(`the weight file ${path} ${problem}`, { cause })
  }
  throw new CheckpointError(`the weight file ${path} is not a file: ${copyAgain}`)
}

function checkpointOf(
  tensors: ReadonlyMap<string, StoredTensor>,
  close: () => Promise<void>,
): Checkpoint {
  return {
    shapes: new Map([...tensors].map(([name, { dims }]) => [name, dims])),
    types: new Map([...tensors].map(([name, { type }]) => [name, type])),
    files: new Map([...tensors].map(([name, { fileName }]) => [name, fileName])),
    tensor(name) {
      const stored = tensors.get(name)
      if (stored === undefined) throw new CheckpointError(`the checkpoint has no tensor ${name}`)
      return tensorOf(name, stored)
    },
    close,
  }
}

function tensorOf(name: string, stored: StoredTensor): CheckpointTensor {
  const { type, dims } = stored
  if (!isFloatType(type))
    throw new CheckpointError(`${name} has type ${type}, expected BF16, F16 or F32`)
  const bytesPerRow = floatTypes[type] * dims.slice(1).reduce((product, n) => product * n, 1)
  const read = (start: number, bytes: Uint8Array) =>
    fillExactly(bytes, stored.file, stored.offset + start * bytesPerRow, stored.fileName)
  const tensor: CheckpointTensor = {
    dims,
    type,
    // Without giving way to other work in between: a conversion reads tens of thousands of pieces.
    readRawRows: (start, count) =>
      Promise.resolve().then(() => read(start, new Uint8Array(count * bytesPerRow))),
    readRows: (start, count, into) =>
      Promise.resolve().then(() => {
        const length = count * bytesPerRow
        const isReused = type !== 'F32' && length <= halvesMemory.length
        const bytes = isReused ? halvesMemory.subarray(0, length) : new Uint8Array(length)
        return toFloat32(read(start, bytes), type, into)
      }),
  }
  return tensor
}

function isFloatType(type: string): type is FloatType {
  return type in floatTypes
}

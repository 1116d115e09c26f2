import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import * as z from 'zod'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import { checksumPartBytes } from '../../graph/weights-file.ts'
import { sourceFileSchema } from './source/source-files.ts'

/** Increased when the same checkpoint would give different weights files, or a different manifest. */
export const converterVersion = 9

const fileName = 'manifest.json'

const filePartSchema = z.object({
  offset: z.int().min(0),
  bytes: z.int().min(1).max(checksumPartBytes),
  checksum: z.string().regex(/^[\da-f]{32}$/),
})

const fileChecksumsSchema = z
  .object({ bytes: z.int().min(0), parts: z.array(filePartSchema).readonly() })
  .refine(({ bytes, parts }) => parts.every((part) => part.offset + part.bytes <= bytes))

const manifestSchema = z.object({
  weights: z.string(),
  /** SHA-256 of the names, types, shapes and positions of all external tensors. */
  layout: z.string(),
  /** SHA-256 of the set that channels were measured with; undefined when they were estimated from weights alone. */
  calibration: z.string().optional(),
  sources: z.array(sourceFileSchema),
  /** Channels rescaled before the weights were rounded: see `findOutliers`. */
  equalization: z.record(z.string(), z.record(z.string().regex(/^\d+$/), z.int())),
  /** Every weights file of the folder. */
  files: z.record(z.string(), fileChecksumsSchema),
})

/** What a converted model was made from, and the content of its files. */
export type Manifest = z.infer<typeof manifestSchema>

/** The form of a converted model. */
export type MadeForm = Pick<Manifest, 'weights' | 'layout' | 'calibration'>

const storedSchema = manifestSchema.extend({ converterVersion: z.literal(converterVersion) })
const versionSchema = z.object({ converterVersion: z.int() })

/**
 * @returns undefined when there is no readable manifest of this version: the folder is treated as missing
 * @throws {CheckpointError} when it cannot be read
 */
export async function readManifest(folder: string): Promise<Manifest | undefined> {
  return storedSchema.safeParse(await readStored(folder)).data
}

/** Whether another version of the converter made a folder. @throws {CheckpointError} when its manifest cannot be read */
export async function isOfOtherVersion(folder: string): Promise<boolean> {
  const stored = versionSchema.safeParse(await readStored(folder)).data
  return stored !== undefined && stored.converterVersion !== converterVersion
}

/** @returns undefined when there is no manifest, or when it is not JSON */
async function readStored(folder: string): Promise<unknown> {
  const file = join(folder, fileName)
  if (!existsSync(file)) return undefined
  const text = await readFile(file, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw new CheckpointError(
      `${file} cannot be read (${cause.code}): remove ${folder}, and the next start converts the model again`,
      { cause },
    )
  })
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

export async function writeManifest(folder: string, manifest: Manifest): Promise<void> {
  const file = join(folder, fileName)
  await writeFile(file, JSON.stringify({ converterVersion, ...manifest }), { flush: true })
}

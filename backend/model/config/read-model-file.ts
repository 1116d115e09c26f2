import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import { CheckpointError } from '../../checkpoint/checkpoint-error.ts'
import { lfsPointerProblem, lfsPointerStart } from '../../checkpoint/lfs-pointer.ts'

/** An error for the operator, naming the file of the checkpoint and its problem. */
export function unusableFile(file: string, problem: string, options?: ErrorOptions): Error {
  return new CheckpointError(`${file}: ${problem}`, options)
}

/** @throws {CheckpointError} when the file cannot be read */
export async function readModelText(modelFolder: string, file: string): Promise<string> {
  let text: string
  try {
    text = await readFile(join(modelFolder, file), 'utf8')
  } catch (cause) {
    throw unusableFile(file, 'cannot be read', { cause })
  }
  if (text.startsWith(lfsPointerStart)) throw new CheckpointError(`${file} ${lfsPointerProblem}`)
  return text
}

/**
 * @throws {CheckpointError} when the file is missing or not JSON, or naming every field that does not match `schema`
 */
export async function readModelJson<Schema extends z.ZodType>(
  modelFolder: string,
  file: string,
  schema: Schema,
): Promise<z.infer<Schema>> {
  return checkModelJson(file, parseJson(file, await readModelText(modelFolder, file)), schema)
}

/** The same for a file that need not be there. @returns undefined when it is not */
export async function readOptionalModelJson<Schema extends z.ZodType>(
  modelFolder: string,
  file: string,
  schema: Schema,
): Promise<z.infer<Schema> | undefined> {
  const isThere = existsSync(join(modelFolder, file))
  return isThere ? readModelJson(modelFolder, file, schema) : undefined
}

/** @throws {CheckpointError} naming every bad field */
export function checkModelJson<Schema extends z.ZodType>(
  file: string,
  content: unknown,
  schema: Schema,
): z.infer<Schema> {
  const result = schema.safeParse(content)
  if (result.success) return result.data
  const problems = result.error.issues.map(
    (issue) => `${issue.path.join('.') || 'content'}: ${issue.message}`,
  )
  throw unusableFile(file, problems.join('; '))
}

function parseJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw unusableFile(file, 'is not valid JSON', { cause })
  }
}

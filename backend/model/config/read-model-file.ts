import { lstatSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { z } from 'zod'
import { CheckpointError, copyAgain, remedyOf } from '../../checkpoint/checkpoint-error.ts'
import { lfsPointerProblem, lfsPointerStart } from '../../checkpoint/lfs-pointer.ts'

/** An error for the operator, naming the file of the checkpoint, its problem and what to do. */
export function unusableFile(
  modelFolder: string,
  file: string,
  problem: string,
  options?: ErrorOptions,
): Error {
  return new CheckpointError(`${join(modelFolder, file)}: ${problem}`, options)
}

/** @throws {CheckpointError} when the file cannot be read */
export async function readModelText(modelFolder: string, file: string): Promise<string> {
  let text: string
  try {
    text = await readFile(join(modelFolder, file), 'utf8')
  } catch (cause) {
    const reason = cause as NodeJS.ErrnoException
    const problem = `cannot be read (${reason.code}): ${remedyOf(reason)}`
    throw unusableFile(modelFolder, file, problem, { cause })
  }
  if (text.startsWith(lfsPointerStart)) {
    throw new CheckpointError(`${join(modelFolder, file)} ${lfsPointerProblem}`)
  }
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
  const content = parseJson(modelFolder, file, await readModelText(modelFolder, file))
  return checkModelJson(join(modelFolder, file), content, schema)
}

/** The same for a file that need not be there. @returns undefined when it is not */
export async function readOptionalModelJson<Schema extends z.ZodType>(
  modelFolder: string,
  file: string,
  schema: Schema,
): Promise<z.infer<Schema> | undefined> {
  // A link that leads nowhere is a broken file, not an absent one.
  const found = lstatSync(join(modelFolder, file), { throwIfNoEntry: false })
  return found && readModelJson(modelFolder, file, schema)
}

/** @param path of the file @throws {CheckpointError} naming every bad field */
export function checkModelJson<Schema extends z.ZodType>(
  path: string,
  content: unknown,
  schema: Schema,
): z.infer<Schema> {
  const result = schema.safeParse(content)
  if (result.success) return result.data
  const problems = result.error.issues.map(
    (issue) => `${issue.path.join('.') || 'content'}: ${issue.message}`,
  )
  throw new CheckpointError(
    `${path}: ${problems.join('; ')}. Put the file that was published with the model in its place`,
  )
}

function parseJson(modelFolder: string, file: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    const problem = `is not valid JSON${whyNotJson(text)}: ${copyAgain}`
    throw unusableFile(modelFolder, file, problem, { cause })
  }
}

function whyNotJson(text: string): string {
  if (text.trim() === '') return ', but empty'
  if (text.startsWith('\uFEFF')) return ', because it begins with a byte order mark'
  return text.includes('\uFFFD') ? ', because it is not UTF-8' : ''
}

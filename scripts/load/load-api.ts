import type { FormData } from 'undici'
import * as z from 'zod'
import type { ImageType } from '../../shared/fetch/detect-image-type.ts'
import type { ServerSentEvent } from '../../shared/api/wire/sse.ts'

/** The content of every request of a run; `{n}` in the prompt stands for the number of the request, from 1. */
export interface Workload {
  readonly prompt: string
  /** Every request sends all of them. */
  readonly images: readonly ImageFile[]
  readonly maxTokens: number
  readonly temperature: number
}

export interface ImageFile {
  readonly name: string
  readonly type: ImageType
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** How to call one kind of server, and how to read its streams. */
export interface LoadApi {
  readonly path: string
  /** Without the content type of a form, which names its boundary. */
  headers(key: string | undefined): Record<string, string>
  body(n: number): string | FormData
  /** @throws {AnswerError} when the event reports a failure, or is nothing this API sends */
  readEvent(event: ServerSentEvent): StreamPart
}

/** The content of one event of a stream; some dialects combine several things in one. */
export interface StreamPart {
  /** It holds text of at least one token. */
  readonly hasText: boolean
  /** The answer is complete; the last such event is its end. */
  readonly isEnd: boolean
  /** Tokens of the answer so far, as counted by the server. */
  readonly completionTokens?: number | undefined
}

/** A failed request; the code is the server's, or one of this program's. */
export class AnswerError extends Error {
  override readonly name = 'AnswerError'
  readonly code: string

  constructor(code: string) {
    super(`The request failed: ${code}`)
    this.code = code
  }
}

export function promptOf({ prompt }: Workload, n: number): string {
  return prompt.replaceAll('{n}', String(n))
}

/** @throws {AnswerError} when it is not JSON of that shape */
export function parseData<Schema extends z.ZodType>(schema: Schema, data: string): z.infer<Schema> {
  const parsed = schema.safeParse(parseJson(data))
  if (parsed.success) return parsed.data
  throw new AnswerError('invalid_answer')
}

/** Servers of OpenAI's kind put the code, or only a type, into `error` or next to it. */
const codes = z.object({ code: z.unknown().optional(), type: z.unknown().optional() })
const errorAnswer = z.union([z.object({ error: codes }).transform(({ error }) => error), codes])

/** Foreign text that is printed: a code is short and cannot move a terminal's cursor. */
const acceptableCode = /^[\w.-]{1,64}$/

/** @returns the code in an error body, or else the one given */
export function errorCodeIn(data: string, otherwise: string): string {
  const { code, type } = errorAnswer.safeParse(parseJson(data)).data ?? {}
  const isCode = (value: unknown) => typeof value === 'string' && acceptableCode.test(value)
  return [code, type].find((value): value is string => isCode(value)) ?? otherwise
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

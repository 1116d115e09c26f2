import type { Dispatcher } from 'undici'
import * as z from 'zod'
import { EngineProblem, type Refusal } from '../engine/engine-problem.ts'

/** Bytes of an error that are read: its words may repeat the request's. */
const maxErrorBytes = 64 * 1024

/** Milliseconds that they may take. */
const maxErrorMs = 2_000

const said = z.object({ message: z.string().catch(''), type: z.string().catch('') })
const answered = z.union([z.object({ error: said }).transform(({ error }) => error), said])

/** What an answer with a status other than 200 means. Its text is interpreted, and never passed on. */
export async function problemOf(response: Dispatcher.ResponseData): Promise<EngineProblem> {
  const { statusCode, headers } = response
  const text = await textOf(response.body)
  const status = `status ${statusCode}`
  switch (statusCode) {
    case 401:
    case 403:
      return new EngineProblem('unreachable', `${status}: it does not accept ENGINE_API_KEY`)
    case 404:
      return new EngineProblem('unreachable', `${status}: it does not know the model or the path`)
    case 503:
      return new EngineProblem('unreachable', status)
    // SGLang's gateway: the request waited for too long.
    case 408:
    case 429:
      return new EngineProblem('busy', status, {
        retryAfterSeconds: secondsOf(headers['retry-after']),
      })
    case 400:
    case 413:
    case 422:
      return new EngineProblem('refused', status, { refusal: refusalOf(text) })
  }
  return new EngineProblem('fault', status)
}

async function textOf(body: Dispatcher.ResponseData['body']): Promise<string> {
  const tooLong = setTimeout(() => body.destroy(), maxErrorMs)
  const chunks: Uint8Array[] = []
  let bytes = 0
  try {
    for await (const chunk of body as AsyncIterable<Uint8Array>) {
      bytes += chunk.length
      if (bytes > maxErrorBytes) break
      chunks.push(chunk)
    }
  } catch {
    // The status says enough.
  } finally {
    clearTimeout(tooLong)
  }
  return Buffer.concat(chunks).toString()
}

function refusalOf(text: string): Refusal {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'other'
  }
  const { message = '', type = '' } = answered.safeParse(value).data ?? {}
  const words = `${type} ${message}`
  if (
    /context.{0,20}(length|size|window)|longer than the maximum|exceeds? .{0,40}context/i.test(
      words,
    )
  ) {
    return 'context'
  }
  if (/grammar|json.?schema|structured.?output|response_format/i.test(words)) return 'format'
  return 'other'
}

function secondsOf(header: string | string[] | undefined): number | undefined {
  const seconds = Number(header)
  return header !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds : undefined
}

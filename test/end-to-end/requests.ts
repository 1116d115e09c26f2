import { readFileSync } from 'node:fs'
import type { GenerateAnswer } from '../../shared/api/events.ts'
import { parseEvents, type StreamEvents } from '../../shared/api/wire/sse.ts'
import type { Call } from './product.ts'

/** A file of test/golden/images. */
export function goldenImage(name: string): Blob {
  return new Blob([readFileSync(`test/golden/images/${name}`)])
}

export function jsonCall(fields: object): Call {
  return { headers: { 'content-type': 'application/json' }, body: JSON.stringify(fields) }
}

/** Fields as text; `images` as files, each with the name given here. */
export function formCall(
  fields: Readonly<Record<string, string | number | boolean>>,
  images: readonly (readonly [name: string, content: Blob])[],
): Call {
  const form = new FormData()
  for (const [name, value] of Object.entries(fields)) form.append(name, String(value))
  for (const [name, content] of images) form.append('images', content, name)
  return { body: form }
}

/** The complete answer of a request that must succeed. */
export async function answerOf(response: Response): Promise<GenerateAnswer> {
  const text = await response.text()
  if (response.status !== 200) throw new Error(`Answered ${response.status}: ${text}`)
  return JSON.parse(text) as GenerateAnswer
}

type StreamEvent = {
  [Name in keyof StreamEvents]: { readonly event: Name; readonly data: StreamEvents[Name] }
}[keyof StreamEvents]

/** The events of a streamed answer, as they arrive. */
export async function* eventsOf(response: Response): AsyncGenerator<StreamEvent> {
  if (response.body === null) throw new Error('No body')
  for await (const { event, data } of parseEvents(response.body)) {
    yield { event, data: JSON.parse(data) as unknown } as StreamEvent
  }
}

/** Concatenated deltas and the end of a stream that must succeed. */
export async function streamedAnswerOf(response: Response) {
  let output = ''
  for await (const { event, data } of eventsOf(response)) {
    if (event === 'delta') output += data.text
    if (event === 'error') throw new Error(`Ended with ${data.error.code}: ${data.error.message}`)
    if (event === 'end') return { output, ...data }
  }
  throw new Error(`The stream broke off after "${output}"`)
}

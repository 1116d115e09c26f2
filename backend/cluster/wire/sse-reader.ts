import { EngineProblem } from '../engine/engine-problem.ts'

/**
 * Bytes of one event: a step of 64 tokens, each with 20 alternatives of 120 bytes, is 160 kB. Nothing larger comes from
 * a language model.
 */
const maxEventBytes = 2 ** 20

/**
 * The data of each server-sent event, parsed strictly: anything that is not a field of an event ends the answer, and so
 * does an unfinished event. Comments and other fields are ignored.
 * @throws {EngineProblem} `broken`
 */
export async function* readEvents(bytes: AsyncIterable<Uint8Array>): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true })
  /** Of the line and the event whose ends have not come yet. */
  let line = ''
  let data: string[] = []
  let pending = 0
  for await (const chunk of bytes) {
    const pieces = decoded(decoder, chunk).split('\n')
    line += pieces.shift()!
    for (const next of pieces) {
      const value = dataOf(line.endsWith('\r') ? line.slice(0, -1) : line)
      // Of lines without data too: there may be very many.
      pending += line.length + 1
      line = next
      if (pending > maxEventBytes) throw endless()
      if (value !== '') {
        if (value !== undefined) data.push(value)
        continue
      }
      if (data.length > 0) yield data.join('\n')
      data = []
      pending = 0
    }
    if (pending + line.length > maxEventBytes) throw endless()
  }
}

function endless(): EngineProblem {
  return new EngineProblem('broken', `an event of more than ${maxEventBytes} bytes`)
}

function decoded(decoder: InstanceType<typeof TextDecoder>, chunk: Uint8Array): string {
  try {
    return decoder.decode(chunk, { stream: true })
  } catch (cause) {
    throw new EngineProblem('broken', 'the answer is not UTF-8', { cause })
  }
}

/** @returns the data of the line, undefined when it has none, '' for the empty line that ends an event */
function dataOf(line: string): string | undefined {
  if (line === '') return ''
  const data = /^data: ?(.*)$/s.exec(line)?.[1]
  if (data !== undefined) return data === '' ? undefined : data
  if (/^(:|(event|id|retry)(:|$))/.test(line)) return undefined
  throw new EngineProblem('broken', 'the answer is not a stream of events')
}

import { ByteBudget } from '../../shared/bytes/byte-budget.ts'
import { readLimited } from '../../shared/bytes/read-limited.ts'
import type { BackendAnswer, BackendInit, HeldAnswer } from './exchange.ts'

/** Bytes up to which an answer is not worth counting: socket buffers hold as much. */
const uncountedBytes = 64 * 1024

interface WholeAnswer {
  readonly body: ArrayBuffer
  /** Undefined for one that is not counted. */
  readonly held: HeldAnswer | undefined
}

/**
 * Reads an answer that is no stream. A large one is counted before it is held, one of unknown length while it arrives.
 * @throws {ServiceError} `queue_full`
 */
export async function readWhole(
  answer: BackendAnswer,
  { holdAnswer }: Pick<BackendInit, 'holdAnswer'>,
): Promise<WholeAnswer> {
  const length = answer.headers.get('content-length')
  if (length !== null && Number(length) <= uncountedBytes) {
    return { body: await answer.arrayBuffer(), held: undefined }
  }
  const held = holdAnswer?.()
  try {
    if (length === null) return { body: await readCounted(answer, held), held }
    held?.add(Number(length))
    return { body: await answer.arrayBuffer(), held }
  } catch (error) {
    held?.release()
    if (length !== null) answer.body?.cancel().catch(() => undefined)
    throw error
  }
}

async function readCounted(
  { body }: BackendAnswer,
  held: HeldAnswer | undefined,
): Promise<ArrayBuffer> {
  if (body === null) return new ArrayBuffer()
  const counted = new ByteBudget(Infinity, undefined, held?.add)
  // The transport itself ends when the client leaves; what is there by then is the answer.
  const bytes = await readLimited(body, counted, new AbortController().signal)
  return (bytes ?? new Uint8Array()).slice().buffer
}

import { summary, timed } from '../measure.ts'
import type { FormGroup, FormKind } from './form-kinds.ts'

/** A server, and a key of it. */
export interface FormTarget {
  readonly url: string
  readonly key: string
}

/** How long one kind of form takes to be answered, in milliseconds. */
export interface FormRow {
  readonly name: string
  readonly bytes: number
  readonly bestMs: number
  readonly medianMs: number
  readonly worstMs: number
  /** Of the median to that of an ordinary form of as many bytes, sent in turns. */
  readonly ratio: number
  /** Status, and the code of an error. */
  readonly outcome: string
}

/** Rounds that do not count. */
const warmUps = 3

/** Sends ordinary and hostile forms of one size in turns. @returns a row for each kind, the ordinary one first */
export async function measureForms(
  target: FormTarget,
  rounds: number,
  { ordinary, hostile }: FormGroup,
  bytes: number,
): Promise<FormRow[]> {
  const kinds = [ordinary, ...hostile].map((kind) => {
    return { kind, body: kind.make(bytes), times: new Array<number>(), outcome: '' }
  })
  for (let round = -warmUps; round < rounds; round++) {
    for (const each of kinds) {
      const { ms, outcome } = await send(target, each.kind, each.body)
      each.outcome = outcome
      if (round >= 0) each.times.push(ms)
    }
  }
  const ordinaryMs = summary(kinds[0]!.times).medianMs
  return kinds.map(({ kind, body, times, outcome }) => {
    const { bestMs, medianMs } = summary(times)
    const [worstMs, ratio] = [Math.max(...times), medianMs / ordinaryMs]
    return { name: kind.name, bytes: body.length, bestMs, medianMs, worstMs, ratio, outcome }
  })
}

async function send({ url, key }: FormTarget, { path, contentType }: FormKind, body: string) {
  const headers = { 'x-api-key': key, 'content-type': contentType }
  let outcome = ''
  const ms = await timed(async () => {
    const response = await fetch(url + path, { method: 'POST', headers, body })
    const { error } = (await response.json()) as { error?: { code: string } }
    outcome = [response.status, error?.code].filter(Boolean).join(' ')
  })
  return { ms, outcome }
}

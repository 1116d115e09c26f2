import type { AnswerPart } from '../cluster/wire/answer-reader.ts'
import { dialects } from '../cluster/wire/dialect.ts'
import { askEngine } from '../cluster/wire/engine-client.ts'
import type { EngineFacts } from '../cluster/engine/engine-facts.ts'
import type { EngineTarget } from '../cluster/engine/engine-target.ts'
import { timeLimits } from '../cluster/engine/time-limits.ts'
import { wireBody, type WireAsk } from '../cluster/wire/wire-request.ts'
import { answerIn } from '../processor/text/without-thoughts.ts'
import type { Normalizer } from '../processor/create-normalizer.ts'

/** An engine under examination. */
export interface Subject {
  readonly target: EngineTarget
  readonly facts: EngineFacts
  readonly normalizer: Normalizer
  /** Whether the model thinks before it answers. */
  readonly reasons: boolean
  readonly signal: AbortSignal
}

/** What is asked of it. */
export interface Ask extends Partial<Omit<WireAsk, 'prompt'>> {
  readonly text: string
  readonly pictures?: readonly Uint8Array[]
}

export interface Answered {
  /** Of each choice. */
  readonly texts: readonly string[]
  readonly reasons: readonly (string | undefined)[]
  readonly tokens: number
  readonly logprobs: number
  readonly firstTokenMs: number
  readonly totalMs: number
}

const defaultTokens = 60

/** The same with a thought before the answer. */
const thoughtfulTokens = 4_000

/** The parts of one answer. @throws {EngineProblem} */
export async function* ask(subject: Subject, asked: Ask): AsyncGenerator<AnswerPart> {
  const { target, facts, normalizer, reasons, signal } = subject
  const { text, pictures = [], ...changes } = asked
  const content = [
    ...pictures.map(() => ({ type: 'image' }) as const),
    { type: 'text', text } as const,
  ]
  const files = pictures.map((file) => file.slice())
  const caller = { tenant: 'verify', signal }
  const prompt = await normalizer.normalize([{ role: 'user', content }], files, caller)
  const request = {
    sampling: { temperature: 0 },
    stop: [],
    choices: 1,
    topLogprobs: undefined,
    maxTokens: reasons ? thoughtfulTokens : defaultTokens,
    salt: 'verify',
    randomSeed: () => 1,
    ...changes,
    prompt,
  }
  const { choices, maxTokens, topLogprobs } = request
  const { tokenId } = dialects[facts.kind]
  const logprobs =
    topLogprobs === undefined || tokenId === undefined ? undefined : { top: topLogprobs, tokenId }
  const expected = { names: facts.names, choices, maxTokens, logprobs }
  yield* askEngine(target, { body: wireBody(request, facts), expected }, timeLimits, signal)
}

/** One answer to its end. @throws {EngineProblem} */
export async function askOnce(subject: Subject, asked: Ask): Promise<Answered> {
  const start = performance.now()
  const choices = asked.choices ?? 1
  const texts = Array.from({ length: choices }, () => '')
  const reasons = Array.from({ length: choices }, (): string | undefined => undefined)
  let tokens = 0
  let logprobs = 0
  let firstTokenMs: number | undefined
  for await (const part of ask(subject, asked)) {
    firstTokenMs ??= performance.now() - start
    tokens = part.usage?.completion_tokens ?? tokens + 1
    if (part.type === 'usage') continue
    texts[part.choice] += part.text
    logprobs += part.logprobs.length
    reasons[part.choice] = part.ending?.reason ?? reasons[part.choice]
  }
  const totalMs = performance.now() - start
  const answers = subject.reasons ? texts.map(answerIn) : texts
  return {
    texts: answers,
    reasons,
    tokens,
    logprobs,
    firstTokenMs: firstTokenMs ?? totalMs,
    totalMs,
  }
}

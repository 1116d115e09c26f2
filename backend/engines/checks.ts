import { setTimeout as sleep } from 'node:timers/promises'
import { textAt } from '../cluster/health/ask-facts.ts'
import { lackOf, type Demands } from '../cluster/wire/dialect.ts'
import { readLoad } from '../cluster/health/engine-load.ts'
import { EngineProblem } from '../cluster/engine/engine-problem.ts'
import { timeLimits } from '../cluster/engine/time-limits.ts'
import { ask, askOnce, type Subject } from './ask-once.ts'
import { missingWords, type KnownPicture } from './pictures.ts'

/** What one check found. `missing`: the engine does not have it, and requests that need it are refused. */
export interface Finding {
  readonly verdict: 'ok' | 'wrong' | 'missing' | 'unknown'
  readonly detail: string
}

interface Check {
  readonly name: string
  readonly run: (subject: Subject) => Promise<Finding>
}

const describeIt = 'Describe this image.'

/** Milliseconds after which an engine whose client has left must have stopped. */
const abortMs = 5_000

export function checksFor(pictures: readonly KnownPicture[]): Check[] {
  const fields: [name: string, demands: Partial<Demands>][] = [
    ['top_k', { sampling: { temperature: 1, topK: 2 } }],
    ['min_p', { sampling: { temperature: 1, minP: 0.1 } }],
    ['repetition_penalty', { sampling: { temperature: 1, repetitionPenalty: 1.1 } }],
  ]
  return [
    ...pictures.map((picture) => ({
      name: picture.name,
      run: (subject: Subject) => checkPicture(subject, picture),
    })),
    { name: 'the order of pictures', run: (subject) => checkOrder(subject, pictures) },
    ...fields.map(([name, demands]) => ({
      name,
      run: (subject: Subject) => checkField(subject, { ...noDemands, ...demands }),
    })),
    { name: 'seed', run: checkSeed },
    { name: 'stop', run: checkStop },
    { name: 'n', run: checkChoices },
    { name: 'logprobs', run: checkLogprobs },
    { name: 'response_format', run: checkFormat },
    { name: 'max_tokens', run: checkLimit },
    { name: 'stopping when the client leaves', run: checkAbort },
  ]
}

const noDemands: Demands = { sampling: { temperature: 0 }, choices: 1, topLogprobs: undefined }

/** Runs one check; a failure of the engine is what it found. */
export async function runCheck({ run }: Check, subject: Subject): Promise<Finding> {
  try {
    return await run(subject)
  } catch (thrown) {
    if (!(thrown instanceof EngineProblem)) throw thrown
    return { verdict: 'wrong', detail: thrown.message }
  }
}

async function checkPicture(subject: Subject, { png, words }: KnownPicture): Promise<Finding> {
  const { texts, tokens, firstTokenMs, totalMs } = await askOnce(subject, {
    text: describeIt,
    pictures: [png],
  })
  const missing = missingWords(texts[0]!, words)
  const seconds = Math.max(totalMs - firstTokenMs, 1) / 1_000
  const times = `first token after ${Math.round(firstTokenMs)} ms, then ${Math.round(tokens / seconds)} tokens/s`
  if (missing.length === 0) return { verdict: 'ok', detail: times }
  return wrong(`the answer lacks ${missing.join(', ')}: ${JSON.stringify(texts[0])}`)
}

async function checkOrder(
  subject: Subject,
  [first, second]: readonly KnownPicture[],
): Promise<Finding> {
  if (first === undefined || second === undefined) throw new TypeError('Needs two pictures')
  const { texts } = await askOnce(subject, {
    text: 'Describe both images.',
    pictures: [first.png, second.png],
  })
  const lower = texts[0]!.toLowerCase()
  const places = [first, second].map(({ words }) => lower.indexOf(words[0]!))
  if (places[0]! >= 0 && places[0]! < places[1]!) return ok('')
  return wrong(`expected ${first.words[0]} before ${second.words[0]}: ${JSON.stringify(texts[0])}`)
}

async function checkField(subject: Subject, demands: Demands): Promise<Finding> {
  if (lackOf(subject.facts, demands) !== undefined) return missing
  await askOnce(subject, { text: 'Hello!', sampling: demands.sampling, maxTokens: 2 })
  return ok('')
}

async function checkSeed(subject: Subject): Promise<Finding> {
  const sampling = { temperature: 1, topP: 1, seed: 7 }
  if (lackOf(subject.facts, { ...noDemands, sampling }) !== undefined) return missing
  const once = () => askOnce(subject, { text: 'Tell me a story about a fox.', sampling })
  const [one, two] = [await once(), await once()]
  return one.texts[0] === two.texts[0] ? ok('') : wrong('the same seed gave two answers')
}

async function checkStop(subject: Subject): Promise<Finding> {
  const { texts } = await askOnce(subject, { text: 'Count from 1 to 20.', stop: ['5'] })
  return texts[0]!.includes('5') ? wrong('the text goes on after a stop text') : ok('')
}

async function checkChoices(subject: Subject): Promise<Finding> {
  const { texts } = await askOnce(subject, { text: 'Hello!', choices: 2, maxTokens: 8 })
  return texts[0] === texts[1] ? ok('') : wrong('two most likely answers are not the same')
}

async function checkLogprobs(subject: Subject): Promise<Finding> {
  if (lackOf(subject.facts, { ...noDemands, topLogprobs: 1 }) !== undefined) return missing
  const { logprobs } = await askOnce(subject, { text: 'Hello!', topLogprobs: 1, maxTokens: 4 })
  return logprobs > 0 ? ok('') : wrong('none came')
}

async function checkFormat(subject: Subject): Promise<Finding> {
  const properties = { colour: { enum: ['red', 'blue'] } }
  const schema = { type: 'object', properties, required: ['colour'], additionalProperties: false }
  const format = {
    type: 'json_schema',
    schema: JSON.stringify(schema),
    field: 'response_format',
  } as const
  const { texts } = await askOnce(subject, { text: 'What is the colour of blood?', format })
  try {
    const { colour } = JSON.parse(texts[0]!) as { colour?: unknown }
    if (colour === 'red' || colour === 'blue') return ok('')
  } catch {
    // Said below.
  }
  return wrong(`the answer does not follow its schema: ${JSON.stringify(texts[0])}`)
}

async function checkLimit(subject: Subject): Promise<Finding> {
  const { tokens, reasons } = await askOnce(subject, { text: 'Count from 1 to 60.', maxTokens: 5 })
  if (reasons[0] === 'length' && tokens === 5) return ok('')
  return wrong(`asked for 5 tokens, got ${tokens} and the reason ${reasons[0]}`)
}

async function checkAbort(subject: Subject): Promise<Finding> {
  const before = await runningIn(subject)
  if (before === undefined) return { verdict: 'unknown', detail: 'it does not tell its load' }
  for await (const part of ask(subject, { text: 'Count from 1 to 2000.', maxTokens: 2_000 })) {
    if (part.type === 'text') break
  }
  const start = performance.now()
  while (performance.now() - start < abortMs) {
    const running = await runningIn(subject)
    const ms = Math.round(performance.now() - start)
    if (running !== undefined && running <= before) return ok(`within ${ms} ms`)
    await sleep(100)
  }
  return wrong(`it still works after ${abortMs} ms`)
}

async function runningIn({ target, facts }: Subject): Promise<number | undefined> {
  const options = { target, timeoutMs: timeLimits.probeMs }
  return readLoad(facts.kind, await textAt('/metrics', options).catch(() => ''))?.running
}

const missing: Finding = { verdict: 'missing', detail: 'requests that need it are refused' }
const ok = (detail: string): Finding => ({ verdict: 'ok', detail })
const wrong = (detail: string): Finding => ({ verdict: 'wrong', detail })

import type { Report } from '../../../shared/progress/progress.ts'
import { openModelSource, type ModelSource } from '../../model/convert/model-source.ts'
import type { FormChoice } from '../../model/convert/weight-forms.ts'
import { PartBalance } from '../../model/convert/part-balance.ts'
import type { Equalization } from '../../model/equalize/find-outliers.ts'
import type { StreamOptions } from '../../model/streamed/stream-logits.ts'
import { createTokenizer } from '../../processor/tokenizer.ts'
import { readRanks, readTokenizerFile } from '../../model/config/tokenizer-file.ts'
import { compareAnswers } from './compare-answers.ts'
import { compareForms, type Fidelity, type FormComparison } from './compare-forms.ts'
import { readCheckSet } from './check-set.ts'
import { comparePublishedIds } from './published-ids.ts'

/** Share of tokens whose likeliest continuation must be the same. */
const leastAgreement = 0.97

/** Nats a token below which a divergence changes no answer that anybody would notice. */
const littleDivergence = 0.01

export interface CheckOptions {
  readonly checkpointDir: string
  /** The form that is served. */
  readonly choice: FormChoice
  /** File with answers of another implementation; forms of this one are compared unless given. */
  readonly against?: string
  readonly report: Report
  readonly signal: AbortSignal
}

/**
 * Measures how faithful the served form of a model is: its tokenizer to published ids, and its answers to float32, or to
 * another implementation's.
 * @returns what is wrong; nothing when all is well
 * @throws {CheckpointError} when the checkpoint or the reference cannot be read
 */
export async function checkModel(options: CheckOptions): Promise<string[]> {
  const { checkpointDir, against } = options
  const source = await openModelSource(checkpointDir)
  try {
    const problems = await checkTokenizer(options)
    const further =
      against === undefined
        ? await checkForms(source, options)
        : await checkAnswers(source, against, options)
    return [...problems, ...further]
  } finally {
    await source.checkpoint.close()
  }
}

async function checkTokenizer({ checkpointDir, report }: CheckOptions): Promise<readonly string[]> {
  const tokenizer = createTokenizer(await readRanks(checkpointDir))
  const { baseVocabulary } = await readTokenizerFile(checkpointDir)
  const compared = comparePublishedIds(tokenizer, baseVocabulary)
  if (compared === undefined) {
    report('tokenizer: not that of Kimi-VL-A3B, of which ids are published')
    return []
  }
  const { texts, problems } = compared
  report(`tokenizer: ${texts - problems.length} of ${texts} texts have the published ids`)
  return problems
}

async function checkForms(source: ModelSource, options: CheckOptions): Promise<readonly string[]> {
  const { checkpointDir, choice, report } = options
  const texts = await readCheckSet(checkpointDir, source)
  const stream = streamOptions(source, options)
  const comparison = await compareForms(source, texts, choice, stream)
  report(balanceLine(stream.balance.shifts))
  for (const line of comparisonLines(comparison)) report(line)
  const { agreeing, tokens } = comparison.rounded
  if (agreeing >= leastAgreement * tokens) return []
  return [`8 bits change ${tokens - agreeing} of ${tokens} tokens: ${advice(comparison)}`]
}

function streamOptions(
  { checkpoint, config }: ModelSource,
  { report, signal }: CheckOptions,
): StreamOptions {
  const balance = new PartBalance(checkpoint, config)
  return { balance, onProgress: (line) => report(line, true), signal }
}

function balanceLine(shifts: Equalization): string {
  const places = Object.values(shifts)
  const channels = places.reduce((sum, each) => sum + Object.keys(each).length, 0)
  if (channels === 0) return 'outliers: no channel is out of balance'
  return `outliers: ${channels} channels in ${places.length} places are balanced`
}

function comparisonLines(comparison: FormComparison): string[] {
  return [
    `against float32: ${fidelityText(comparison.rounded)}`,
    ...[...comparison.finer].map(
      ([component, fidelity]) => `  with ${component} in float32: ${fidelityText(fidelity)}`,
    ),
    advice(comparison),
  ]
}

function fidelityText({ divergence, agreeing, tokens }: Fidelity): string {
  return `divergence ${divergence.toPrecision(2)} nats a token, ${agreeing} of ${tokens} likeliest tokens the same`
}

/** The component whose float32 form brings most. */
export function advice({ rounded, finer }: FormComparison): string {
  if (rounded.divergence < littleDivergence) return 'no component needs a finer form'
  const [best] = [...finer].toSorted((a, b) => a[1].divergence - b[1].divergence)
  if (best === undefined || best[1].divergence >= rounded.divergence) {
    return 'no single component brings it nearer in float32'
  }
  const [component, { divergence }] = best
  const gain = `${rounded.divergence.toPrecision(2)} to ${divergence.toPrecision(2)} nats a token`
  return `keep ${component} finer: EXACT_WEIGHTS=${component} takes it from ${gain}`
}

async function checkAnswers(
  source: ModelSource,
  against: string,
  options: CheckOptions,
): Promise<readonly string[]> {
  const { choice, report } = options
  const compared = await compareAnswers(source, against, choice, streamOptions(source, options))
  const { cases, tokens, agreeing, differing, meanDifference } = compared
  report(
    `against ${against}: ${agreeing} of ${tokens} likeliest tokens the same in ${cases} answers, log-probabilities ${meanDifference.toPrecision(2)} apart on average`,
  )
  if (agreeing >= leastAgreement * tokens) return []
  return [
    `${differing.length} of ${cases} answers are not the reference's: ${differing.join(', ')}`,
  ]
}

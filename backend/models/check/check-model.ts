import { availableParallelism } from 'node:os'
import type { Report } from '../../../shared/progress/progress.ts'
import { calibrationSetHash } from '../../model/calibration/calibration-set.ts'
import { openModelSource, type ModelSource } from '../../model/convert/source/model-source.ts'
import type { FormChoice } from '../../model/convert/graphs/weight-forms.ts'
import { PartBalance } from '../../model/convert/graphs/part-balance.ts'
import { measureAll } from '../../model/streamed/measure-channels.ts'
import type { PicturedText, StreamOptions } from '../../model/streamed/stream-logits.ts'
import { createTokenizer } from '../../processor/text/tokenizer.ts'
import { readRanks, readTokenizerFile } from '../../model/config/tokenizer-file.ts'
import { balanceLines, calibrationLine } from '../balance-lines.ts'
import { compareAnswers } from './compare-answers.ts'
import { compareForms, type Fidelity, type FormComparison } from './compare-forms.ts'
import { compareFeatures } from './compare-features.ts'
import { checkSet, checkSetLine } from './check-set.ts'
import { comparePublishedIds, type PublishedIds } from './published-ids.ts'

/** Share of tokens whose likeliest continuation must be the same. */
const leastAgreement = 0.97

/**
 * Distance of image features from a reference's, relative to their length. References in bfloat16 are a few percent off
 * themselves; another order of rows, or another interpolation, changes far more.
 */
const mostFeatureDistance = 0.1

/** Nats per token below which a divergence does not noticeably change answers. */
const littleDivergence = 0.01

export interface CheckOptions {
  readonly checkpointDir: string
  /** The form that is served. */
  readonly choice: FormChoice
  /** File with answers of another implementation; forms of this one are compared unless given. */
  readonly against?: string
  /** File with an image and another implementation's features for it. */
  readonly features?: string
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
  const { checkpointDir, against, features } = options
  const source = await openModelSource(checkpointDir)
  try {
    const { specialTokens, baseVocabulary } = await readTokenizerFile(checkpointDir)
    const tokens = { tokenizer: createTokenizer(await readRanks(checkpointDir)), specialTokens }
    const published = comparePublishedIds(tokens, baseVocabulary)
    options.report(tokenizerLine(published))
    const problems = [...(published?.problems ?? [])]
    if (features !== undefined) problems.push(...(await checkFeatures(source, features, options)))
    if (against !== undefined) problems.push(...(await checkAnswers(source, against, options)))
    if (features === undefined && against === undefined) {
      problems.push(...(await checkForms(source, checkSet(tokens, source), options)))
    }
    return problems
  } finally {
    await source.checkpoint.close()
  }
}

function tokenizerLine(published: PublishedIds | undefined): string {
  if (published === undefined) {
    return "tokenizer: not compared, because token ids are published only for Kimi-VL-A3B's"
  }
  const { compared, problems } = published
  return `tokenizer: ${compared - problems.length} of ${compared} texts and chats are as published`
}

async function checkFeatures(
  source: ModelSource,
  file: string,
  options: CheckOptions,
): Promise<readonly string[]> {
  const { choice, report } = options
  const compared = await compareFeatures(source, file, choice, await streamOptions(source, options))
  const [exact, served] = [compared.exact, compared.served].map((part) => percent(part))
  report(
    `against ${file}: features of ${compared.tokens} image tokens differ by ${exact} in float32, by ${served} in the served form`,
  )
  if (compared.served <= mostFeatureDistance) return []
  return [`the image features are not the reference's: they differ by ${served}`]
}

function percent(part: number): string {
  const value = 100 * part
  return `${value < 10 ? value.toPrecision(2) : value.toFixed(0)} %`
}

async function checkForms(
  source: ModelSource,
  texts: readonly PicturedText[],
  options: CheckOptions,
): Promise<readonly string[]> {
  const { choice, report } = options
  const stream = await streamOptions(source, options)
  const comparison = await compareForms(source, texts, choice, stream)
  report(checkSetLine(source.preprocessor.patchSize))
  report(calibrationLine(source.readTokens && calibrationSetHash()))
  for (const line of balanceLines(stream.balance.shifts, source.config.text_config)) report(line)
  for (const line of comparisonLines(comparison)) report(line)
  const { agreeing, tokens } = comparison.rounded
  if (agreeing >= leastAgreement * tokens) return []
  return [`8 bits change ${tokens - agreeing} of ${tokens} tokens: ${advice(comparison)}`]
}

/** Measures the channels, as a conversion does before it balances them. */
async function streamOptions(
  source: ModelSource,
  { report, signal }: CheckOptions,
): Promise<StreamOptions> {
  report('measuring channels', true)
  const maxima = await measureAll(source, { threads: availableParallelism(), signal })
  const balance = new PartBalance(source.checkpoint, source.config, { maxima })
  return { balance, onProgress: (line) => report(line, true), signal }
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
  const compared = await compareAnswers(source, against, choice, await streamOptions(source, options))
  const { cases, tokens, agreeing, differing, meanDifference } = compared
  report(
    `against ${against}: ${agreeing} of ${tokens} likeliest tokens the same in ${cases} answers, log-probabilities ${meanDifference.toPrecision(2)} apart on average`,
  )
  if (agreeing >= leastAgreement * tokens) return []
  return [
    `${differing.length} of ${cases} answers are not the reference's: ${differing.join(', ')}`,
  ]
}

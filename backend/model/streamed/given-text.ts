import type { TextConfig } from '../config/model-config.ts'
import type { Checkpoint } from '../../checkpoint/checkpoint.ts'
import { hostFeatures } from '../host-features.ts'
import { embeddingTensor } from '../deepseek/embedding-table.ts'
import type { FeatureSpan } from '../model.ts'

/** A prompt and the answer given to it. */
export interface GivenText {
  readonly promptIds: readonly number[]
  /** At least one. */
  readonly answerIds: readonly number[]
}

/** Tokens that are run in one piece; a token sees those before it in the text. */
export interface Chunk {
  /** Index of its text. */
  readonly text: number
  /** Row of its first token among the tokens of all texts. */
  readonly firstRow: number
  /** Position of its first token in the text. */
  readonly position: number
  readonly count: number
  /** Prompts are read with keys and values expanded where they are long; answers are not. */
  readonly isPrompt: boolean
}

/** Texts, laid out one after the other. The last token of an answer is left out: nothing follows it. */
export interface TextLayout {
  readonly texts: readonly GivenText[]
  readonly rows: number
  /** The prompt of each text, and then the rest. */
  readonly chunks: readonly Chunk[]
  /** Rows after which a token of an answer follows, in the order of texts and tokens. */
  readonly asked: readonly number[]
  /** Those tokens. */
  readonly answers: readonly number[]
}

export function layOut(texts: readonly GivenText[]): TextLayout {
  const chunks: Chunk[] = []
  const asked: number[] = []
  let rows = 0
  for (const [text, { promptIds, answerIds }] of texts.entries()) {
    const [read, given] = [promptIds.length, answerIds.length - 1]
    chunks.push({ text, firstRow: rows, position: 0, count: read, isPrompt: true })
    if (given > 0) {
      chunks.push({ text, firstRow: rows + read, position: read, count: given, isPrompt: false })
    }
    answerIds.forEach((_, i) => asked.push(rows + read - 1 + i))
    rows += read + given
  }
  return { texts, rows, chunks, asked, answers: texts.flatMap(({ answerIds }) => answerIds) }
}

/** Embeddings of all tokens [rows, hidden], with image features in place of placeholders. */
export async function embedTexts(
  { texts, rows }: TextLayout,
  config: TextConfig,
  checkpoint: Checkpoint,
  spansOf: (text: number) => readonly FeatureSpan[],
): Promise<Float32Array> {
  const { hidden_size: hidden } = config
  const table = embeddingTensor(checkpoint)
  const result = new Float32Array(rows * hidden)
  let row = 0
  for (const [text, { promptIds, answerIds }] of texts.entries()) {
    const first = row
    for (const id of [...promptIds, ...answerIds.slice(0, -1)]) {
      result.set(await table.readRows(id, 1), row * hidden)
      row += 1
    }
    for (const { at, features } of spansOf(text))
      result.set(hostFeatures(features), (first + at) * hidden)
  }
  return result
}

import * as z from 'zod'
import { CheckpointError, copyAgain } from '../../checkpoint/checkpoint-error.ts'
import { modelConfigFile, readModelConfig } from './model-config.ts'
import { readModelJson, readModelText, unusableFile } from './read-model-file.ts'

export const ranksFile = 'tiktoken.model'
const namesFile = 'tokenizer_config.json'

/** The bytes of all base tokens, concatenated: token `id` is `bytes[starts[id]]` up to `bytes[starts[id + 1]]`. */
export interface TokenBytes {
  readonly bytes: Uint8Array
  /** One entry more than there are tokens. */
  readonly starts: Uint32Array
}

/** What the checkpoint says about its tokens. */
export interface TokenizerFile {
  /** Lower ids are byte-pair tokens; ids from here up to `vocabSize` are special tokens. */
  readonly baseVocabulary: number
  /** Rows of the embedding table; no id from here upwards may reach the model. */
  readonly vocabSize: number
  readonly tokenBytes: TokenBytes
  /** Every special token: name to id. */
  readonly specialTokens: ReadonlyMap<string, number>
}

const namesSchema = z.object({
  added_tokens_decoder: z.record(
    z.string().regex(/^\d+$/, 'expected a token id'),
    z.object({ content: z.string().min(1) }),
  ),
})

/** The problem of a checkpoint in which no token has a name that its chat template needs. */
export function unnamedToken(name: string): Error {
  const problem = `added_tokens_decoder: names no token ${name}; ${copyAgain}`
  return new CheckpointError(`${namesFile}: ${problem}`)
}

/** The rank file as text: one line per token with the base64 of its bytes, a space and its id. */
export function readRanks(modelFolder: string): Promise<string> {
  return readModelText(modelFolder, ranksFile)
}

/**
 * Reads the vocabulary and special tokens of a checkpoint folder.
 * @throws {CheckpointError} naming the file and field when something is missing or inconsistent
 */
export async function readTokenizerFile(modelFolder: string): Promise<TokenizerFile> {
  const [ranks, names, model] = await Promise.all([
    readRanks(modelFolder),
    readModelJson(modelFolder, namesFile, namesSchema),
    readModelConfig(modelFolder),
  ])
  const tokenBytes = parseRanks(modelFolder, ranks)
  const baseVocabulary = tokenBytes.starts.length - 1
  const vocabSize = model.text_config.vocab_size
  const specialTokens = nameSpecialTokens(modelFolder, {
    named: names.added_tokens_decoder,
    baseVocabulary,
    vocabSize,
  })
  if (specialTokens.get('<|media_pad|>') !== model.media_placeholder_token_id) {
    throw unusableFile(
      modelFolder,
      modelConfigFile,
      `media_placeholder_token_id: ${model.media_placeholder_token_id} is not the id of <|media_pad|> in ${namesFile}`,
    )
  }
  return { baseVocabulary, vocabSize, tokenBytes, specialTokens }
}

const rankLine = /^([A-Za-z0-9+/]+={0,2}) (\d+)$/

/** Checks every line: ids count up from 0 without a gap, and each single byte is a token. */
function parseRanks(modelFolder: string, text: string): TokenBytes {
  const lines = text.split('\n').filter((line) => line !== '')
  const starts = new Uint32Array(lines.length + 1)
  // Base64 is never shorter than the bytes it encodes.
  const bytes = new Uint8Array(text.length)
  const singleBytes = new Set<number>()
  for (const [id, line] of lines.entries()) {
    const match = rankLine.exec(line.trimEnd())
    if (match === null || Number(match[2]) !== id) {
      const problem = `line ${id + 1}: expected base64 and the id ${id}; ${copyAgain}`
      throw unusableFile(modelFolder, ranksFile, problem)
    }
    const token = Buffer.from(match[1]!, 'base64')
    bytes.set(token, starts[id])
    starts[id + 1] = starts[id]! + token.length
    if (token.length === 1) singleBytes.add(token[0]!)
  }
  if (singleBytes.size !== 256) {
    const problem = `has ${singleBytes.size} of the 256 single bytes as tokens; ${copyAgain}`
    throw unusableFile(modelFolder, ranksFile, problem)
  }
  return { bytes: bytes.slice(0, starts[lines.length]), starts }
}

interface NamedTokens {
  readonly named: Readonly<Record<string, { readonly content: string }>>
  readonly baseVocabulary: number
  readonly vocabSize: number
}

/** Ids above the base vocabulary are special; those without a name in the file are reserved. */
function nameSpecialTokens(
  modelFolder: string,
  { named, baseVocabulary, vocabSize }: NamedTokens,
): ReadonlyMap<string, number> {
  if (vocabSize <= baseVocabulary) {
    throw unusableFile(
      modelFolder,
      modelConfigFile,
      `text_config.vocab_size: ${vocabSize} leaves no special tokens above the ${baseVocabulary} of ${ranksFile}`,
    )
  }
  for (const id of Object.keys(named)) {
    if (Number(id) >= baseVocabulary && Number(id) < vocabSize) continue
    throw unusableFile(
      modelFolder,
      namesFile,
      `added_tokens_decoder.${id}: is not between ${baseVocabulary} and ${vocabSize - 1}`,
    )
  }
  const tokens = new Map<string, number>()
  for (let id = baseVocabulary; id < vocabSize; id++) {
    const name = named[id]?.content ?? `<|reserved_token_${id}|>`
    if (tokens.has(name)) {
      const problem = `added_tokens_decoder.${id}: a second token is named ${name}`
      throw unusableFile(modelFolder, namesFile, problem)
    }
    tokens.set(name, id)
  }
  return tokens
}

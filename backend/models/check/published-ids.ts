import { chatIds, type ChatTokens } from './chat-ids.ts'

/** Texts with published ids from the tokenizer of moonshotai/Kimi-VL-A3B. */
const texts: readonly (readonly [text: string, ids: readonly number[]])[] = [
  ['What is in the picture?', [5376, 387, 306, 276, 8968, 30]],
  ['A disc on a gradient.', [32, 2846, 418, 261, 36192, 13]],
  ['Hello! How can I assist', [19180, 0, 3653, 691, 374, 8593]],
  [
    'The character has large, expressive eyes and a surprised or shocked facial expression.',
    [1008, 6162, 924, 4393, 11, 98717, 11002, 316, 261, 21478, 528, 54275, 37632, 11276, 13],
  ],
  ['!', [0]],
  [',', [11]],
  ['.', [13]],
  ['\n', [198]],
]

/** The same of a whole chat: the default system message, an image of two tokens and a question. */
const chat = {
  question: 'What is in the picture?',
  imageTokens: [2],
  ids: [
    [163594, 14062, 163601, 3900, 554, 261, 13205, 26626, 163586, 163587, 2482, 163601],
    [163602, 4017, 163603, 163605, 163605, 163604, 5376, 387, 306, 276, 8968, 30],
    [163586, 163588, 69702, 163601],
  ].flat(),
}

/** Questions whose number of tokens in the default chat is published. */
const totals: readonly (readonly [question: string, tokens: number])[] = [
  ['Reply with exactly one short word: hello', 24],
  ['Viết đúng một từ: chào', 29],
]

/** Text tokens of that tokenizer. */
const publishedVocabulary = 163_584

export interface PublishedIds {
  /** Number of texts and chats compared. */
  readonly compared: number
  readonly problems: readonly string[]
}

/** @returns undefined for another tokenizer, for which nothing is published; otherwise the differences */
export function comparePublishedIds(
  tokens: ChatTokens,
  baseVocabulary: number,
): PublishedIds | undefined {
  if (baseVocabulary !== publishedVocabulary) return undefined
  const problems = [
    ...texts.flatMap(([text, ids]) =>
      problemOf(JSON.stringify(text), [...tokens.tokenizer.encodeOrdinary(text)], ids),
    ),
    ...problemOf(
      'a chat with an image',
      chatIds(tokens, chat.question, chat.imageTokens),
      chat.ids,
    ),
    ...totals.flatMap(([question, expected]) => {
      const made = chatIds(tokens, question, []).length
      if (made === expected) return []
      return [`a chat with ${JSON.stringify(question)} has ${made} tokens, not ${expected}`]
    }),
  ]
  return { compared: texts.length + 1 + totals.length, problems }
}

function problemOf(what: string, made: readonly number[], ids: readonly number[]): string[] {
  return made.join() === ids.join() ? [] : [`${what} becomes ${made.join()}, not ${ids.join()}`]
}

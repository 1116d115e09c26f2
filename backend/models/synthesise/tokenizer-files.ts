import { publishedSpecialTokens, publishedVocabulary } from './published-config.ts'

/** Published ids of tokens that are words or begin with a space. */
const publishedTokens: Readonly<Record<number, string>> = {
  261: ' a',
  276: ' the',
  306: ' in',
  316: ' and',
  374: ' I',
  387: ' is',
  418: ' on',
  528: ' or',
  554: ' are',
  691: ' can',
  924: ' has',
  1008: 'The',
  2482: 'user',
  2846: ' disc',
  3653: ' How',
  3900: 'You',
  4017: 'image',
  4393: ' large',
  5376: 'What',
  6162: ' character',
  8593: ' assist',
  8968: ' picture',
  11002: ' eyes',
  11276: ' expression',
  13205: ' helpful',
  14062: 'system',
  19180: 'Hello',
  21478: ' surprised',
  26626: ' assistant',
  36192: ' gradient',
  37632: ' facial',
  54275: ' shocked',
  69702: 'assistant',
  98717: ' expressive',
}

/** Words of chats whose length is published; with these tokens of its own, a synthesised tokenizer gives the same. */
const wordsOfChats = [
  'Reply',
  ' with',
  ' exactly',
  ' one',
  ' short',
  ' word',
  ' hello',
  'Viết',
  ' một',
  ' từ',
  'à',
].map((word) => Buffer.from(word).toString('latin1'))

/**
 * `tiktoken.model` with as many tokens as Kimi-VL-A3B's, of which the published ones have their published ids. All others are
 * bytes, and short strings of letters in place of the unpublished ones.
 */
export function synthesisedRanks(): string {
  const tokens: string[] = Array.from(singleBytes(), latin1)
  const taken = new Set([...Object.values(publishedTokens), ...wordsOfChats])
  const fillers = fillersBut(taken)
  while (tokens.length < publishedVocabulary) {
    tokens.push(publishedTokens[tokens.length] ?? fillers.next().value)
  }
  return tokens
    .map((token, id) => `${Buffer.from(token, 'latin1').toString('base64')} ${id}\n`)
    .join('')
}

function latin1(byte: number): string {
  return String.fromCharCode(byte)
}

/** All bytes in the order of byte-level vocabularies: printable ones first, so that `!` is 0 and a line feed 198. */
function singleBytes(): number[] {
  const all = Array.from({ length: 256 }, (_, byte) => byte)
  const isPrintable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte !== 0xad)
  return [...all.filter(isPrintable), ...all.filter((byte) => !isPrintable(byte))]
}

function* fillersBut(taken: ReadonlySet<string>): Generator<string, never> {
  yield* wordsOfChats
  return yield* letterStrings(taken)
}

/** Strings of two letters, then of three, and so on, each with and without a space before it. */
function* letterStrings(taken: ReadonlySet<string>): Generator<string, never> {
  const letters = 'etaoinshrdlcumwfgypbvkjxqz'.split('')
  let shorter = letters
  for (;;) {
    const strings = shorter.flatMap((start) => letters.map((letter) => start + letter))
    for (const text of strings) {
      if (!taken.has(text)) yield text
      if (!taken.has(` ${text}`)) yield ` ${text}`
    }
    shorter = strings
  }
}

/** `tokenizer_config.json`: names of special tokens. */
export function synthesisedTokenNames() {
  const named = Object.entries(publishedSpecialTokens)
  return {
    added_tokens_decoder: Object.fromEntries(
      named.map(([id, content]) => [id, { content, special: true }]),
    ),
  }
}

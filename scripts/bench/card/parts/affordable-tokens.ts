import { longEvery, type RequestSizes } from './mixed-requests.ts'

/** What a card is asked to compute, and how fast it multiplies. */
interface CardRate {
  /** 10^9 operations per second of a large product with 8-bit weights, as measured. */
  readonly eightBitGigaflops: number
  /** Of all experts: several tokens at once are multiplied by each of them. */
  readonly weightBytes: number
}

/** Share of that rate that steps reach: they also have smaller products, attention and launches. */
const reachedShare = 0.6

/** Seconds that parts plan for, well below their shares of the time, since the rate may be further off. */
const planned = { streams: 30, prompts: 20, requests: 40 } as const

const usualPrompts = [256, 1024] as const

/** Tokens of the longest prompt that is read alone. */
export const longestPrompt = Math.max(...usualPrompts)
const usualRequest = { prompt: 256, answer: 64 } as const

/**
 * Tokens of prompts, and of answers that run beside others, that a card can process in the time of a part. Each byte of
 * weights is a multiplication and an addition, or a little less because of the scales.
 */
function affordableTokens(
  { eightBitGigaflops, weightBytes }: CardRate,
  part: keyof typeof planned,
): number {
  return (reachedShare * planned[part] * eightBitGigaflops * 1e9) / (2 * weightBytes)
}

/** Tokens of each request when this many run at once: the usual number, or shorter prompts. */
export function callerSizes(rate: CardRate, callers: number) {
  const each = affordableTokens(rate, 'streams') / callers
  return { ...usualRequest, prompt: within(16, each - usualRequest.answer, usualRequest.prompt) }
}

/** Prompts that are read in turns, and how often, in addition to a warm-up round. */
export function promptRounds(rate: CardRate): { prompts: readonly number[]; rounds: number } {
  const affordable = affordableTokens(rate, 'prompts')
  const all = usualPrompts.reduce((sum, tokens) => sum + tokens, 0)
  const prompts = affordable < 2 * all ? usualPrompts.slice(0, 1) : usualPrompts
  return { prompts, rounds: within(1, affordable / all - 1, 3) }
}

/**
 * The mixed requests, and how many of them the card can answer: on a slow one they are short, except that some prompts
 * take runs of their own.
 */
export function mixedSizes(rate: CardRate, requests: number): RequestSizes {
  const each = affordableTokens(rate, 'requests') / requests
  return {
    prompt: [2, within(4, 0.6 * each, 300)],
    answer: [1, within(4, each, 48)],
    longPrompt: within(80, 0.2 * longEvery * each, 300),
  }
}

function within(least: number, value: number, most: number): number {
  return Math.round(Math.min(Math.max(value, least), most))
}

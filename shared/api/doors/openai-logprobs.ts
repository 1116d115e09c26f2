import type { SampledLogprob } from '../events.ts'
import { LazyList } from '../wire/json-pieces.ts'

/** Log probabilities in the form of both of OpenAI's APIs. */
export function openAiLogprobs(sampled: readonly SampledLogprob[]): LazyList<SampledLogprob> {
  return new LazyList(sampled, ({ top, ...token }) => ({
    ...tokenOf(token),
    top_logprobs: top.map(tokenOf),
  }))
}

function tokenOf({ token, logprob, bytes }: Omit<SampledLogprob, 'top'>) {
  return { token, bytes: Array.from(bytes), logprob }
}

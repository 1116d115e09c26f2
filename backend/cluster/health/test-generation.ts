import { tenantOfServer } from '../../tenant.ts'
import { tinyPicture } from '../../warm-up/tiny-picture.ts'
import type { NormalizedPrompt, Normalizer } from '../../processor/create-normalizer.ts'
import { askEngine } from '../wire/engine-client.ts'
import type { EngineFacts } from '../engine/engine-facts.ts'
import { EngineProblem } from '../engine/engine-problem.ts'
import type { EngineTarget } from '../engine/engine-target.ts'
import type { TimeLimits } from '../engine/time-limits.ts'
import { wireBody } from '../wire/wire-request.ts'

/** Enough to show that it answers. */
const maxTokens = 2

/** The conversation that proves an engine: a small picture, and a question about it. */
export function testPrompt(
  normalizer: Pick<Normalizer, 'normalize'>,
  signal: AbortSignal,
): Promise<NormalizedPrompt> {
  const content = [{ type: 'image' }, { type: 'text', text: 'Describe it.' }] as const
  const caller = { tenant: tenantOfServer, signal }
  return normalizer.normalize([{ role: 'user', content }], [tinyPicture()], caller)
}

/**
 * Has an engine describe a picture.
 * @returns tokens of the prompt as the engine counts them; undefined where it does not say
 * @throws {EngineProblem} when it does not, and a ServiceError when `signal` was aborted
 */
export async function testGeneration(
  target: EngineTarget,
  facts: EngineFacts,
  prompt: NormalizedPrompt,
  limits: TimeLimits,
  signal: AbortSignal,
): Promise<number | undefined> {
  const ask = { prompt, sampling: { temperature: 0 }, stop: [], choices: 1, maxTokens }
  const more = { topLogprobs: undefined, format: undefined, salt: tenantOfServer }
  const body = wireBody({ ...ask, ...more, randomSeed: () => 0 }, facts)
  const expected = { names: facts.names, choices: 1, maxTokens, logprobs: undefined }
  let text = ''
  let promptTokens: number | undefined
  try {
    for await (const part of askEngine(target, { body, expected }, limits, signal)) {
      if (part.type === 'text') text += part.thought + part.text
      promptTokens = part.usage?.prompt_tokens ?? promptTokens
    }
  } catch (thrown) {
    if (!(thrown instanceof EngineProblem) || thrown.kind === 'unreachable') throw thrown
    throw new EngineProblem('fault', `no answer about a picture: ${thrown.message}`, {
      cause: thrown,
    })
  }
  if (text === '') throw new EngineProblem('fault', 'an empty answer about a picture')
  return promptTokens
}

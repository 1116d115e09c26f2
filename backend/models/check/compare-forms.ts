import type { ModelSource } from '../../model/convert/source/model-source.ts'
import {
  componentForms,
  components,
  type Component,
  type FormChoice,
} from '../../model/convert/graphs/weight-forms.ts'
import {
  streamLogits,
  type PicturedText,
  type StreamOptions,
} from '../../model/streamed/stream-logits.ts'
import { DivergenceSums } from './logit-sums.ts'

/** How far a form is from float32, over the tokens of all answers. */
export interface Fidelity {
  readonly tokens: number
  /** Mean Kullback-Leibler divergence of the form's probabilities from those of float32, in nats a token. */
  readonly divergence: number
  /** Tokens whose likeliest continuation is the same. */
  readonly agreeing: number
}

export interface FormComparison {
  readonly rounded: Fidelity
  /** With one component at a time in float32. */
  readonly finer: ReadonlyMap<Component, Fidelity>
}

/**
 * Compares a form of a checkpoint, and that form with one component after the other in float32, with float32. All run side by
 * side, so that the weights are read once.
 * @param choice what is compared with float32
 */
export async function compareForms(
  source: ModelSource,
  texts: readonly PicturedText[],
  choice: FormChoice,
  options: StreamOptions,
): Promise<FormComparison> {
  const finer = components.filter((component) => choice.exact?.includes(component) !== true)
  const choices: FormChoice[] = [
    choice,
    ...finer.map((component) => ({ ...choice, exact: [...(choice.exact ?? []), component] })),
  ]
  const [rounded, ...rest] = await fidelities(source, texts, choices, options)
  return { rounded: rounded!, finer: new Map(finer.map((component, i) => [component, rest[i]!])) }
}

/** The same for one form alone. */
export async function compareWithFloat(
  source: ModelSource,
  texts: readonly PicturedText[],
  choice: FormChoice,
  options: StreamOptions,
): Promise<Fidelity> {
  const [only] = await fidelities(source, texts, [choice], options)
  return only!
}

async function fidelities(
  source: ModelSource,
  texts: readonly PicturedText[],
  choices: readonly FormChoice[],
  options: StreamOptions,
): Promise<Fidelity[]> {
  const tokens = texts.reduce((sum, { answerIds }) => sum + answerIds.length, 0)
  const sums = choices.map(() => Array.from({ length: tokens }, () => new DivergenceSums()))
  const forms = [{ weights: 'f32' } as const, ...choices].map(componentForms)
  for await (const { firstId, count, logits } of streamLogits(source, texts, forms, options)) {
    const [exact, ...others] = logits
    const row = (all: Float32Array, i: number) => all.subarray(i * count, (i + 1) * count)
    others.forEach((other, form) =>
      sums[form]!.forEach((sum, i) => sum.add(firstId, row(exact!, i), row(other, i))),
    )
  }
  return sums.map(fidelityOf)
}

function fidelityOf(sums: readonly DivergenceSums[]): Fidelity {
  return {
    tokens: sums.length,
    divergence: sums.reduce((total, { divergence }) => total + divergence, 0) / sums.length,
    agreeing: sums.filter(({ p, q }) => p.bestId === q.bestId).length,
  }
}

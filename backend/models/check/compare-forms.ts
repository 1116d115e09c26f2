import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { openModel } from '../../model/load-model.ts'
import {
  components,
  formName,
  type Component,
  type FormChoice,
} from '../../model/convert/weight-forms.ts'
import type { ModelSource } from '../../model/convert/model-source.ts'
import type { Model } from '../../model/model.ts'
import type { CheckPrompt, CheckSet } from './check-set.ts'
import { follow, likeliest, logProbabilities } from './follow-answer.ts'

/** Tokens of each answer that forms are compared on. */
const answerTokens = 16

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

export interface CompareOptions {
  readonly modelsDir: string
  readonly threads: number
  /** What is compared with float32. */
  readonly choice: FormChoice
  readonly onProgress: (line: string) => void
  readonly signal: AbortSignal
}

interface Reference {
  readonly prompt: CheckPrompt
  readonly ids: readonly number[]
  /** Of each id. */
  readonly logProbabilities: readonly Float64Array[]
}

/**
 * Runs a checkpoint in float32, in its 8-bit form, and in that form with one component after the other in float32. All
 * but the 8-bit form itself are converted for this and removed again.
 */
export async function compareForms(
  source: ModelSource,
  set: CheckSet,
  options: CompareOptions,
): Promise<FormComparison> {
  const { choice } = options
  const references = await withForm(source, { weights: 'f32' }, options, (model) =>
    answersOf(model, set),
  )
  const measured = (form: FormChoice) =>
    withForm(source, form, options, (model) => fidelityOf(model, references))
  const rounded = await measured(choice)
  const finer = new Map<Component, Fidelity>()
  for (const component of components) {
    if (choice.exact?.includes(component)) continue
    const exact = [...(choice.exact ?? []), component]
    finer.set(component, await measured({ ...choice, exact }))
  }
  return { rounded, finer }
}

async function withForm<Result>(
  source: ModelSource,
  form: FormChoice,
  { modelsDir, threads, choice, onProgress, signal }: CompareOptions,
  use: (model: Model) => Promise<Result>,
): Promise<Result> {
  signal.throwIfAborted()
  onProgress(`running ${formName(form)}`)
  const checksDir = join(modelsDir, `${source.name}-onnx-check`)
  const folder = form === choice ? modelsDir : checksDir
  try {
    const model = await openModel(source, { ...form, modelsDir: folder, threads, slots: 1, signal })
    try {
      return await use(model)
    } finally {
      await model.close()
    }
  } finally {
    await rm(checksDir, { recursive: true, force: true })
  }
}

/** The likeliest answers, up to their ends or `answerTokens`. */
async function answersOf(model: Model, { prompts, stopIds }: CheckSet): Promise<Reference[]> {
  const references: Reference[] = []
  for (const prompt of prompts) {
    const [ids, rows]: [number[], Float64Array[]] = [[], []]
    for await (const logits of follow(model, prompt, ids)) {
      const id = likeliest(logits)
      ids.push(id)
      rows.push(logProbabilities(logits))
      if (ids.length === answerTokens || stopIds.includes(id)) break
    }
    references.push({ prompt, ids, logProbabilities: rows })
  }
  return references
}

async function fidelityOf(model: Model, references: readonly Reference[]): Promise<Fidelity> {
  let [tokens, sum, agreeing] = [0, 0, 0]
  for (const { prompt, ids, logProbabilities: expected } of references) {
    let i = 0
    for await (const logits of follow(model, prompt, ids.slice(0, -1))) {
      sum += divergenceOf(expected[i]!, logProbabilities(logits))
      if (likeliest(logits) === ids[i]) agreeing += 1
      tokens += 1
      i += 1
    }
  }
  return { tokens, divergence: sum / tokens, agreeing }
}

/** sum over tokens of p (ln p - ln q) */
function divergenceOf(p: Float64Array, q: Float64Array): number {
  return p.reduce((sum, logP, id) => sum + Math.exp(logP) * (logP - q[id]!), 0)
}

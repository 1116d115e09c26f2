import { Option, type Command } from 'commander'
import {
  blockSizes,
  components,
  weightFormNames,
  type BlockSize,
  type Component,
  type FormChoice,
  type WeightFormName,
} from '../model/convert/graphs/weight-forms.ts'

type GivenForms = Partial<Record<Component, WeightFormName>> & { readonly block?: string }

/** Options that choose a form for one call: `--vision f32`, `--block 32`. */
export function addFormOptions(command: Command): Command {
  for (const component of components) {
    const text = `form of the component ${component}; as EXACT_WEIGHTS says unless given`
    command.addOption(new Option(`--${component} <form>`, text).choices(weightFormNames))
  }
  const block = new Option(
    '--block <size>',
    'weights that share a scale; WEIGHTS_BLOCK unless given',
  )
  return command.addOption(block.choices(blockSizes.map(String)))
}

/** The settings' choice, with what was given instead. */
export function chosenForm(settings: FormChoice, given: GivenForms): FormChoice {
  const formOf = (component: Component) =>
    given[component] ?? (settings.exact?.includes(component) === true ? 'f32' : 'q8')
  const exact = components.filter((component) => formOf(component) === 'f32')
  const blockSize =
    given.block === undefined ? settings.blockSize : (Number(given.block) as BlockSize)
  return { weights: settings.weights, exact, ...(blockSize && { blockSize }) }
}

/** The settings with which a form is served. */
export function settingsOf({ weights, exact = [], blockSize }: FormChoice): string {
  const block = blockSize === undefined ? [] : [`WEIGHTS_BLOCK=${blockSize}`]
  const kept = exact.length === 0 ? [] : [`EXACT_WEIGHTS=${exact.join()}`]
  return [`WEIGHTS=${weights}`, ...kept, ...block].join(' ')
}

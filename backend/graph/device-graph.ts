import type { ExternalInitializer, GraphSpec, InitializerSpec } from './onnx-proto.ts'

/** The initializers whose bytes are in the weights file. */
export function externalsOf({ initializers }: GraphSpec): readonly ExternalInitializer[] {
  return initializers.filter(isExternal)
}

/**
 * The same graph in the form in which a device runs it. Its external weights are inputs, so that several graphs can
 * share them, and operators write graph outputs themselves: a copy in between could be a copy of the whole cache.
 */
export function deviceForm(spec: GraphSpec): GraphSpec {
  return withoutOutputCopies(withWeightsAsInputs(spec))
}

/** The same graph with its external weights as inputs. */
export function withWeightsAsInputs(spec: GraphSpec): GraphSpec {
  const weights = externalsOf(spec).map(({ name, type, dims }) => ({ name, type, dims }))
  return {
    ...spec,
    inputs: [...spec.inputs, ...weights],
    initializers: spec.initializers.filter((tensor) => !isExternal(tensor)),
  }
}

function isExternal(tensor: InitializerSpec): tensor is ExternalInitializer {
  return 'offset' in tensor
}

function withoutOutputCopies(spec: GraphSpec): GraphSpec {
  const outputs = new Set(spec.outputs.map(({ name }) => name))
  const made = new Set(spec.nodes.flatMap((node) => node.outputs))
  const outputOf = new Map<string, string>()
  const nodes = spec.nodes.filter(({ opType, inputs, outputs: [output] }) => {
    const isCopy = opType === 'Identity' && outputs.has(output!) && made.has(inputs[0]!)
    if (isCopy) outputOf.set(inputs[0]!, output!)
    return !isCopy
  })
  const renamed = (name: string) => outputOf.get(name) ?? name
  return {
    ...spec,
    nodes: nodes.map((node) => ({
      ...node,
      inputs: node.inputs.map(renamed),
      outputs: node.outputs.map(renamed),
    })),
  }
}

import type { BuiltGraph } from './graph-builder.ts'
import { externalsOf } from './device-graph.ts'

/**
 * A part of a graph with its weights where the whole has them, so that it can read the whole's weights file. Weights of
 * both are matched by their names.
 * @throws {RangeError} when the whole lacks one
 */
export function placedAs(whole: BuiltGraph, part: BuiltGraph): BuiltGraph {
  const places = new Map(externalsOf(whole.spec).map((tensor) => [tensor.name, tensor]))
  const initializers = part.spec.initializers.map((tensor) => {
    if (!('offset' in tensor)) return tensor
    const place = places.get(tensor.name)
    if (place?.byteLength === tensor.byteLength) return place
    throw new RangeError(`The whole graph has no weight ${tensor.name}`)
  })
  return { ...whole, spec: { ...part.spec, initializers }, fills: [] }
}

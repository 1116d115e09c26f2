import type { GraphBuilder, Value } from '../../../graph/graph-builder.ts'
import { scatterRows } from '../../../graph/operators/selection.ts'
import { leading } from '../../../graph/operators/shapes.ts'
import { deviceVisionNames } from './device-vision-names.ts'

/** State of all patches of an image, as inputs and outputs of a graph that processes some of them. */
export interface PatchRows {
  /** Declares an input [N, hidden]. */
  input(name: string): Value
  /** Makes an output of the same rows with new ones for the patches of this run. @returns it */
  update(name: string, all: Value, rows: Value): Value
}

/** @param hidden numbers a patch */
export function patchRows(g: GraphBuilder, hidden: number): PatchRows {
  const writeRows = g.input(deviceVisionNames.writeRows, 'int64', ['patches', 1])
  const dims = ['all_patches', hidden]
  return {
    input: (name) => g.input(name, 'float32', dims),
    update(name, all, rows) {
      const written = scatterRows(g, all, writeRows, rows)
      g.output(name, written, 'float32', dims)
      return written
    },
  }
}

/** Lets the host wait until `value` [rows, numbers] is computed. */
export function outputDone(g: GraphBuilder, value: Value): void {
  const first = new Map([
    [0, 1],
    [1, 1],
  ])
  g.output(deviceVisionNames.done, leading(g, value, first), 'float32', [1, 1])
}

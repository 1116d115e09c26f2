import type { GraphBuilder, Value, ValueType } from '../graph-builder.ts'

/**
 * The values of one of two branches; only the branch taken runs.
 * @param condition bool [1]
 * @param outputs types of the values, the same for both branches
 */
export function ifElse(
  g: GraphBuilder,
  condition: Value,
  outputs: readonly ValueType[],
  { ifTrue, ifFalse }: Readonly<Record<'ifTrue' | 'ifFalse', () => readonly Value[]>>,
): Value[] {
  return g.node('If', [condition], {
    outputs: outputs.length,
    attributes: {
      then_branch: { kind: 'graph', value: g.branch('then', outputs, ifTrue) },
      else_branch: { kind: 'graph', value: g.branch('else', outputs, ifFalse) },
    },
  })
}

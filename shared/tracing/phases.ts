import type { TraceSpan } from './tracing.ts'

/** A part of a request's time, in milliseconds by the program's clock. */
export interface Phase<Name extends string> {
  readonly name: Name
  readonly from: number
  readonly to: number
}

/** The parts of one request's time, one after the other. */
export class Phases<Name extends string> {
  readonly #begun: { readonly name: Name; readonly from: number }[] = []

  /** Ends the current part and begins another. A time before the current part's counts as its own. */
  enter(name: Name, at: number): void {
    this.#begun.push({ name, from: Math.max(at, this.#begun.at(-1)?.from ?? at) })
  }

  /** All parts until `end`, which is the end of the last one. */
  until(end: number): Phase<Name>[] {
    return this.#begun.map(({ name, from }, index) => ({
      name,
      from,
      to: Math.max(from, this.#begun[index + 1]?.from ?? end),
    }))
  }
}

/** Records phases as parts of a span. */
export function recordPhases(span: TraceSpan, phases: readonly Phase<string>[]): void {
  if (!span.isRecorded) return
  for (const { name, from, to } of phases) span.child(name, from).end(to)
}

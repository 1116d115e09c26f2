/** Entry file of a thread that compiles schemas. */
import type { Grammar } from '../grammar.ts'
import { compileGrammar, type FormatSource } from './compile-grammar.ts'
import { SchemaProblem } from './schema/schema-problem.ts'

/** An error's class does not survive the transfer between threads; a tagged result does. */
export type CompileOutcome =
  | { readonly ok: true; readonly grammar: Grammar }
  | { readonly ok: false; readonly pointer: string; readonly message: string }

export default function compile(source: FormatSource): CompileOutcome {
  try {
    return { ok: true, grammar: compileGrammar(source) }
  } catch (error) {
    if (!(error instanceof SchemaProblem)) throw error
    return { ok: false, pointer: error.pointer, message: error.message }
  }
}

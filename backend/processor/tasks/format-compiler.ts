import { FixedQueue, Piscina } from 'piscina'
import { ServiceError } from '../../../shared/api/errors.ts'
import type { AnswerFormat } from '../../../shared/api/request/response-format.ts'
import { startDeadline } from '../../../shared/async/deadline.ts'
import type { CompileOutcome } from '../../grammar/compile/compile-worker.ts'
import type { FormatSource } from '../../grammar/compile/compile-grammar.ts'
import type { Grammar } from '../../grammar/grammar.ts'
import { maxCompileMs, maxKeptSchemas, maxSchemaChars } from '../../grammar/limits.ts'
import type { TaskCaller } from './processor-tasks.ts'
import { createTaskGate } from './task-gate.ts'

/** Compiles formats to grammars outside of this thread, and caches the most recent ones. */
export interface FormatCompiler {
  /** @throws {ServiceError} `invalid_schema`, `cancelled`, `shutting_down` */
  compile(format: AnswerFormat, caller: TaskCaller): Promise<Grammar>
  /** How many threads there are now. */
  readonly threadCount: number
  close(): Promise<void>
}

interface FormatCompilerOptions {
  /** Path of compile-worker.ts. */
  readonly worker: string
  /** Weights of tenants in sharing the time; 1 for those not named. */
  readonly tenantWeights: ReadonlyMap<string, number>
}

/** Milliseconds a thread stays after its last schema. */
const idleMs = 60_000

/** Expected milliseconds per character of a schema. */
const estimatedMsPerCharacter = 1e-3

/** Characters of a pointer that an error repeats. */
const maxParamChars = 200

export function createFormatCompiler({
  worker,
  tenantWeights: weights,
}: FormatCompilerOptions): FormatCompiler {
  const now = () => performance.now()
  // The second thread is for tenants that have no other compilation in progress.
  const gate = createTaskGate({ limit: 1, spare: 1, memoryBytes: 0, keptBytes: 0, weights, now })
  const threads = new Piscina<FormatSource, CompileOutcome>({
    filename: worker,
    minThreads: 0,
    maxThreads: 2,
    idleTimeout: idleMs,
    taskQueue: new FixedQueue(),
    recordTiming: false,
  })
  const kept = new RecentGrammars()
  let closed = false

  return {
    async compile(format, { tenant, signal }) {
      const name = format.type === 'json_schema' ? format.schema : format.type
      const known = kept.get(name)
      if (known !== undefined) return known
      checkSize(format)
      const task = {
        tenant,
        estimatedWork: 1 + estimatedMsPerCharacter * name.length,
        memoryBytes: 0,
      }
      const outcome = await gate(() => run(format), task, signal)
      if (!outcome.ok) throw invalidSchema(format, outcome)
      kept.add(name, outcome.grammar)
      return outcome.grammar
    },
    get threadCount() {
      return threads.threads.length
    },
    async close() {
      closed = true
      await threads.destroy()
    },
  }

  async function run(format: AnswerFormat): Promise<CompileOutcome> {
    const deadline = startDeadline(maxCompileMs)
    try {
      return await threads.run(format, { signal: deadline.signal })
    } catch (cause) {
      if (closed) throw new ServiceError('shutting_down', 'The server is shutting down', { cause })
      if (!deadline.expired) throw cause
      return {
        ok: false,
        pointer: '',
        message: `this takes longer than ${maxCompileMs / 1000} s to compile`,
      }
    } finally {
      deadline.release()
    }
  }
}

/** The grammars of formats, by their text; the least recently used is dropped first. */
class RecentGrammars {
  readonly #kept = new Map<string, Grammar>()

  get(name: string): Grammar | undefined {
    const grammar = this.#kept.get(name)
    if (grammar !== undefined) this.add(name, grammar)
    return grammar
  }

  add(name: string, grammar: Grammar): void {
    this.#kept.delete(name)
    this.#kept.set(name, grammar)
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= maxKeptSchemas) break
      this.#kept.delete(oldest)
    }
  }
}

/**
 * Checked in this thread, so that a text of megabytes need not be transferred. @throws {ServiceError}
 * `invalid_schema`
 */
function checkSize(format: AnswerFormat): void {
  if (format.type !== 'json_schema' || format.schema.length <= maxSchemaChars) return
  const message = `a schema may have ${maxSchemaChars} characters, this has ${format.schema.length}`
  throw invalidSchema(format, { pointer: '', message })
}

function invalidSchema(
  format: AnswerFormat,
  { pointer, message }: { readonly pointer: string; readonly message: string },
): ServiceError {
  const field = format.type === 'json_schema' ? format.field : ''
  const place = `${field}${pointer}`.slice(0, maxParamChars)
  return new ServiceError('invalid_schema', `${place}: ${message}`, { param: place })
}

import { askFacts, textAt } from './ask-facts.ts'
import type { EngineEntry } from './engine-entry.ts'
import type { EngineFacts, EngineKind } from '../engine/engine-facts.ts'
import { EngineProblem } from '../engine/engine-problem.ts'
import { readLoad } from './engine-load.ts'
import type { TimeLimits } from '../engine/time-limits.ts'

/** Milliseconds between two checks of an engine: its load remains useful for about as long as an answer takes. */
const lookMs = 2_000

/** Milliseconds after which an engine that has not described a picture is asked again. */
const retryMs = 1_000

/** Milliseconds between two looks at the clock. */
const tickMs = 100

/** Where an engine says that it is well. */
const healthPath: Readonly<Record<EngineKind, string>> = {
  vllm: '/health',
  sglang: '/health',
  'llama-server': '/health',
  other: '/v1/models',
}

interface ProberParts {
  readonly engines: readonly EngineEntry[]
  readonly model: string | undefined
  readonly limits: TimeLimits
  readonly now: () => number
  /** Has an engine describe a picture. @throws {EngineProblem} when it does not */
  readonly test: (engine: EngineEntry, facts: EngineFacts, signal: AbortSignal) => Promise<void>
  /** Called when an engine becomes ready, or may no longer be. */
  readonly onChange: () => void
  /** For the operator. */
  readonly report: (level: 'info' | 'warn', engine: EngineEntry, text: string) => void
}

/**
 * Watches all engines: none gets requests before it has described a picture, again after each time it was away, and its
 * load is read as long as it is ready.
 */
export class Prober {
  readonly #parts: ProberParts
  readonly #ending = new AbortController()
  readonly #planned = new Map<EngineEntry, { readonly at: number; readonly isReady: boolean }>()
  readonly #looking = new Set<EngineEntry>()
  #timer: NodeJS.Timeout | undefined

  constructor(parts: ProberParts) {
    this.#parts = parts
  }

  start(): void {
    this.#tick()
    this.#timer = setInterval(() => this.#tick(), tickMs).unref()
  }

  stop(): void {
    clearInterval(this.#timer)
    this.#ending.abort()
  }

  #tick(): void {
    const { engines, now } = this.#parts
    for (const engine of engines) {
      if (this.#looking.has(engine) || now() < this.#dueAt(engine)) continue
      this.#looking.add(engine)
      void this.#look(engine).finally(() => this.#looking.delete(engine))
    }
  }

  #dueAt(engine: EngineEntry): number {
    const planned = this.#planned.get(engine)
    if (planned === undefined) return 0
    // It has failed a request meanwhile.
    if (planned.isReady && !engine.isReady) return engine.restsUntil
    return planned.at
  }

  async #look(engine: EngineEntry): Promise<void> {
    const { now, onChange, report } = this.#parts
    try {
      if (engine.isReady) await this.#check(engine, engine.facts!)
      else await this.#prove(engine)
    } catch (thrown) {
      if (this.#ending.signal.aborted) return
      const problem =
        thrown instanceof EngineProblem
          ? thrown
          : new EngineProblem('fault', 'the test generation failed', { cause: thrown })
      engine.noteProblem(problem)
      report('warn', engine, problem.message)
      onChange()
    } finally {
      const { isReady, restsUntil } = engine
      const at = isReady ? now() + lookMs : Math.max(now() + retryMs, restsUntil)
      this.#planned.set(engine, { at, isReady })
    }
  }

  async #check(engine: EngineEntry, { kind }: EngineFacts): Promise<void> {
    const { target } = engine
    await textAt(healthPath[kind], { target, timeoutMs: this.#parts.limits.probeMs })
    await this.#readLoad(engine, kind)
  }

  /** An engine may be well without telling its load. */
  async #readLoad(engine: EngineEntry, kind: EngineKind): Promise<void> {
    if (kind === 'other') return
    const { target } = engine
    const { probeMs: timeoutMs } = this.#parts.limits
    const metrics = await textAt('/metrics', { target, timeoutMs }).catch(() => '')
    engine.noteLoad(readLoad(kind, metrics))
  }

  async #prove(engine: EngineEntry): Promise<void> {
    const { model, limits, test, onChange, report } = this.#parts
    const { target } = engine
    const facts = await askFacts({ target, model, timeoutMs: limits.probeMs })
    await test(engine, facts, this.#ending.signal)
    await this.#readLoad(engine, facts.kind)
    if (this.#ending.signal.aborted) return
    engine.prove(facts)
    report('info', engine, `ready: ${facts.kind} ${facts.version ?? ''}`.trimEnd())
    onChange()
  }
}

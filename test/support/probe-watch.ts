import { setTimeout as delay } from 'node:timers/promises'

/** How a probe was answered; undefined when not at all. Times are milliseconds of one clock. */
interface ProbeSample {
  readonly at: number
  readonly status: number | undefined
  /** How long it took. */
  readonly ms: number
}

/** Milliseconds between two questions: ten a second. */
const pollMs = 100

/** Milliseconds after which an answer counts as none. */
const patienceMs = 5_000

/** Asks probes ten times a second, from before their programs listen until it is stopped. */
export class ProbeWatch {
  readonly #stop = new AbortController()
  readonly #samples = new Map<string, ProbeSample[]>()
  readonly #loops: Promise<void>[]

  constructor(urls: Readonly<Record<string, string>>) {
    this.#loops = Object.entries(urls).map(([name, url]) => this.#watch(name, url))
  }

  /** Answers from the first one on. */
  answersOf(name: string): readonly ProbeSample[] {
    const samples = this.#samples.get(name) ?? []
    return samples.slice(samples.findIndex(({ status }) => status !== undefined))
  }

  /**
   * Whether a probe said all the time between two moments that all is well. What it had said last at the first moment
   * is what was known then, so it counts too.
   */
  saidReady(name: string, from: number, to: number): boolean {
    const samples = this.answersOf(name)
    const known = samples.findLast(({ at }) => at < from)
    const between = samples.filter(({ at }) => at >= from && at <= to)
    const said = known === undefined ? between : [known, ...between]
    return said.length > 0 && said.every(({ status }) => status === 200)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#loops)
  }

  async #watch(name: string, url: string): Promise<void> {
    const samples: ProbeSample[] = []
    this.#samples.set(name, samples)
    const { signal } = this.#stop
    while (!signal.aborted) {
      const at = performance.now()
      const status = await fetch(url, { signal: AbortSignal.timeout(patienceMs) }).then(
        async (response) => {
          await response.arrayBuffer()
          return response.status
        },
        () => undefined,
      )
      if (!signal.aborted) samples.push({ at, status, ms: performance.now() - at })
      await delay(pollMs, undefined, { signal }).catch(() => undefined)
    }
  }
}

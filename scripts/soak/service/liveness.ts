import { setTimeout as delay } from 'node:timers/promises'
import { probeRoutes } from '../../../shared/api/routes.ts'

/** Milliseconds between two requests. */
const pollMs = 100

/** How fast `/livez` of one program was in one phase, in milliseconds. */
export interface Liveness {
  readonly program: string
  readonly phase: 'loading' | 'load'
  readonly asked: number
  /** Not answered with 200. */
  readonly failed: number
  readonly p50: number
  readonly p99: number
  readonly max: number
}

export interface LivenessWatch {
  /** From now on the service is under load. */
  loaded(): void
  stop(): Promise<readonly Liveness[]>
}

/**
 * Asks the programs ten times a second whether they are alive, starting with their first answer.
 * @param ports of their plain listeners
 */
export function watchLiveness(ports: Readonly<Record<string, number>>): LivenessWatch {
  const stopping = new AbortController()
  let phase: Liveness['phase'] = 'loading'
  const samples: { program: string; phase: Liveness['phase']; ms: number; ok: boolean }[] = []
  const watch = async (program: string, port: number) => {
    let hasAnswered = false
    while (!stopping.signal.aborted) {
      const at = performance.now()
      const ok = await isAlive(port)
      hasAnswered ||= ok
      if (hasAnswered) samples.push({ program, phase, ms: performance.now() - at, ok })
      await delay(pollMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }
  const loops = Object.entries(ports).map(([program, port]) => watch(program, port))
  return {
    loaded: () => (phase = 'load'),
    async stop() {
      stopping.abort()
      await Promise.all(loops)
      return Object.keys(ports).flatMap((program) =>
        (['loading', 'load'] as const).map((one) => {
          const own = samples.filter((sample) => sample.program === program && sample.phase === one)
          return { program, phase: one, ...summaryOf(own) }
        }),
      )
    },
  }
}

async function isAlive(port: number): Promise<boolean> {
  const response = await fetch(`http://127.0.0.1:${port}${probeRoutes.livez.path}`).catch(
    () => undefined,
  )
  await response?.arrayBuffer()
  return response?.status === 200
}

function summaryOf(samples: readonly { readonly ms: number; readonly ok: boolean }[]) {
  const sorted = samples.map(({ ms }) => ms).toSorted((a, b) => a - b)
  const quantile = (part: number) => sorted[Math.ceil(part * sorted.length) - 1] ?? NaN
  return {
    asked: samples.length,
    failed: samples.filter(({ ok }) => !ok).length,
    p50: quantile(0.5),
    p99: quantile(0.99),
    max: quantile(1),
  }
}

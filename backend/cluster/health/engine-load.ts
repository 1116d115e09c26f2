import type { EngineKind } from '../engine/engine-facts.ts'
import type { EngineLoad } from './engine-entry.ts'

/** Names of the gauges, with vLLM's and SGLang's summed over their workers. */
const gauges: Readonly<
  Partial<Record<EngineKind, { readonly running: string; readonly waiting: string }>>
> = {
  vllm: { running: 'vllm:num_requests_running', waiting: 'vllm:num_requests_waiting' },
  sglang: { running: 'sglang:num_running_reqs', waiting: 'sglang:num_queue_reqs' },
  'llama-server': {
    running: 'llamacpp:requests_processing',
    waiting: 'llamacpp:requests_deferred',
  },
}

/**
 * An engine's load by its metrics in Prometheus' text format.
 * @returns undefined when it does not tell it, as SGLang and llama-server without a flag
 */
export function readLoad(kind: EngineKind, metrics: string): EngineLoad | undefined {
  const names = gauges[kind]
  if (names === undefined) return undefined
  const running = sumOf(metrics, names.running)
  const waiting = sumOf(metrics, names.waiting)
  return running === undefined || waiting === undefined ? undefined : { running, waiting }
}

function sumOf(metrics: string, name: string): number | undefined {
  let sum: number | undefined
  for (const line of metrics.split('\n')) {
    if (!line.startsWith(name)) continue
    const value = /^(?:\{.*\})? ([\d.e+]+)(?: \d+)?\s*$/i.exec(line.slice(name.length))?.[1]
    if (value !== undefined) sum = (sum ?? 0) + Number(value)
  }
  return sum
}

import type { Registry } from 'prom-client'
import type { EngineView } from '../cluster/health/engine-entry.ts'
import { addCounters, addGauges } from './reading.ts'

/** Metrics of each external engine, by its host and port. */
export function addClusterMetrics(registry: Registry, engines: () => readonly EngineView[]): void {
  const ofEach = (read: (engine: EngineView) => number | undefined) => () =>
    engines().flatMap((engine) => {
      const value = read(engine)
      return value === undefined ? [] : [[engine.id, value] as const]
    })
  const label = 'engine'
  addGauges(registry, [
    {
      name: 'describe_cluster_engine_ready',
      help: 'Whether an engine gets requests: 1 or 0',
      label,
      read: ofEach(({ state }) => Number(state === 'ready')),
    },
    {
      name: 'describe_cluster_engine_answers_running',
      help: 'Answers that an engine generates for this backend now',
      label,
      read: ofEach(({ running }) => running),
    },
    {
      name: 'describe_cluster_engine_requests_running',
      help: 'Requests that an engine works on, of all its clients, as it says itself',
      label,
      read: ofEach(({ load }) => load?.running),
    },
    {
      name: 'describe_cluster_engine_requests_waiting',
      help: 'Requests that wait in an engine, of all its clients, as it says itself',
      label,
      read: ofEach(({ load }) => load?.waiting),
    },
  ])
  addCounters(registry, [
    {
      name: 'describe_cluster_engine_failures_total',
      help: 'Requests and probes at which an engine failed',
      label,
      read: ofEach(({ failures }) => failures),
    },
    {
      name: 'describe_cluster_engine_uncounted_total',
      help: 'Answers of an engine whose tokens this backend counted, because it did not say them',
      label,
      read: ofEach(({ uncounted }) => uncounted),
    },
  ])
}

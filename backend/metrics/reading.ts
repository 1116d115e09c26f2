import { Counter, Gauge, type Registry } from 'prom-client'

/** A metric that is read only when requested; until then it costs nothing. */
export interface Reading {
  readonly name: string
  readonly help: string
  /** One value, or one for each value of the label. */
  readonly read: () => number | readonly (readonly [label: string, value: number])[]
  readonly label?: string
}

export function addGauges(registry: Registry, readings: readonly Reading[]): void {
  for (const reading of readings) registry.registerMetric(gaugeOf(reading))
}

export function addCounters(registry: Registry, readings: readonly Reading[]): void {
  for (const reading of readings) registry.registerMetric(counterOf(reading))
}

function gaugeOf({ read, ...options }: Reading): Gauge {
  return new Gauge({
    ...metricOptions(options),
    collect() {
      for (const [labels, value] of valuesOf(read, options.label)) this.set(labels, value)
    },
  })
}

function counterOf({ read, ...options }: Reading): Counter {
  return new Counter({
    ...metricOptions(options),
    collect() {
      this.reset()
      for (const [labels, value] of valuesOf(read, options.label)) this.inc(labels, value)
    },
  })
}

/** prom-client registers metrics without an explicit registry in a process-wide one. */
function metricOptions({ name, help, label }: Omit<Reading, 'read'>) {
  return { name, help, labelNames: label === undefined ? [] : [label], registers: [] }
}

function valuesOf(read: Reading['read'], label = ''): [Record<string, string>, number][] {
  const values = read()
  if (typeof values === 'number') return [[{}, values]]
  return values.map(([name, value]) => [{ [label]: name }, value])
}

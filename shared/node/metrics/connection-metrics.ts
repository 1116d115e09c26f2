import { Counter, Gauge, type Registry } from 'prom-client'

interface ConnectionCounts {
  readonly open: number
  readonly refused: number
  readonly displaced: number
}

/** @param prefix of the metrics' names, such as `describe_edge` */
export function addConnectionMetrics(
  registry: Registry,
  prefix: string,
  counts: () => ConnectionCounts,
): void {
  const gauge = new Gauge({
    name: `${prefix}_connections`,
    help: 'Open connections of clients',
    registers: [],
    collect() {
      this.set(counts().open)
    },
  })
  const closed = new Counter({
    name: `${prefix}_connections_closed_total`,
    help: 'Connections of clients closed because too many were open: refused at once, or displaced by another while idle',
    labelNames: ['why'],
    registers: [],
    collect() {
      this.reset()
      for (const why of ['refused', 'displaced'] as const) this.inc({ why }, counts()[why])
    },
  })
  registry.registerMetric(gauge)
  registry.registerMetric(closed)
}

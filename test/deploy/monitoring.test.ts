import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { noPhaseTimes } from '../../backend/engine/turns/phase-times.ts'
import { createBackendMetrics } from '../../backend/metrics/backend-metrics.ts'
import { createEdgeMetrics } from '../../edge/node/metrics/edge-metrics.ts'
import { addConnectionMetrics } from '../../shared/node/metrics/connection-metrics.ts'
import { FakeEngine } from '../support/backends/test-backend.ts'

const serving = {
  snapshot: () => ({ ...new FakeEngine().snapshot(), phases: noPhaseTimes }),
  startUp: () => ({ starts: 1, seconds: 1, converted: undefined, loaded: undefined }),
  enginePid: () => undefined,
  decodePids: () => [],
  workerThreads: () => 0,
  engines: undefined,
}
const parts = { provider: { name: 'cpu', layers: { cpu: 4, gpu: 0 } }, isReady: () => true }
const registries = [
  createBackendMetrics({ ...parts, serving }).registry,
  createBackendMetrics({ ...parts, serving: { ...serving, engines: () => [] } }).registry,
  createEdgeMetrics().registry,
]

for (const [index, prefix] of [
  [0, 'describe'],
  [2, 'describe_edge'],
] as const) {
  addConnectionMetrics(registries[index]!, prefix, () => ({ open: 0, refused: 0, displaced: 0 }))
}

/** Every series there is, histograms with theirs; `up` is Prometheus' own. */
async function knownSeries(): Promise<ReadonlySet<string>> {
  const all = registries.map((one) => one.getMetricsAsJSON())
  const names = (await Promise.all(all)).flat().flatMap(({ name, type }) => {
    const isHistogram = String(type) === 'histogram'
    return isHistogram ? ['_bucket', '_sum', '_count'].map((end) => name + end) : [name]
  })
  return new Set(['up', ...names])
}

const functions = new Set(['sum', 'max', 'rate', 'increase', 'histogram_quantile'])
const words = new Set(['by'])

/** Names of series in a PromQL expression: what is no function, no label and no text. */
function seriesIn(expression: string): string[] {
  const bare = expression
    .replaceAll(/"[^"]*"/g, '')
    .replaceAll(/\{[^}]*\}/g, '')
    .replaceAll(/\[[^\]]*\]/g, '')
    .replaceAll(/by \([^)]*\)/g, 'by')
  const names = bare.match(/[a-z_]\w*/g) ?? []
  return names.filter((name) => !functions.has(name) && !words.has(name))
}

interface Dashboard {
  readonly panels: readonly {
    readonly title: string
    readonly targets: readonly { readonly expr: string }[]
  }[]
}

const dashboard = JSON.parse(
  readFileSync('deploy/grafana/describe-server.json', 'utf8'),
) as Dashboard
const alerts = readFileSync('deploy/prometheus/alerts.yml', 'utf8')
const operations = readFileSync('docs/operations.md', 'utf8')

describe('deploy/grafana/describe-server.json', () => {
  it('asks for nothing that there is not', async () => {
    const known = await knownSeries()
    const asked = dashboard.panels.flatMap(({ targets }) =>
      targets.flatMap(({ expr }) => seriesIn(expr)),
    )
    expect(asked.length).toBeGreaterThan(20)
    expect(asked.filter((name) => !known.has(name))).toEqual([])
  })
})

describe('deploy/prometheus/alerts.yml', () => {
  const names = [...alerts.matchAll(/- alert: (\w+)/g)].map(([, name = '']) => name)

  it('asks for nothing that there is not', async () => {
    const known = await knownSeries()
    const expressions = [...alerts.matchAll(/expr: (.*)/g)].map(([, text = '']) => text)
    expect(expressions).toHaveLength(names.length)
    for (const expression of expressions) {
      const asked = seriesIn(expression)
      expect(asked, expression).not.toEqual([])
      expect(asked.filter((name) => !known.has(name))).toEqual([])
    }
  })

  it('has advice for each in docs/operations.md', () => {
    expect(names.filter((name) => !operations.includes(`\`${name}\``))).toEqual([])
  })
})

describe('docs/operations.md', () => {
  it('lists every metric of ours, and no other', async () => {
    const known = await knownSeries()
    const ours = [...known]
      .filter((name) => /^(describe|gen_ai)_/.test(name))
      .map((name) => name.replace(/_(bucket|sum|count)$/, ''))
    const listed = [...operations.matchAll(/^\| `((?:describe|gen_ai)_\w+)/gm)].map(
      ([, name = '']) => name,
    )
    expect(new Set(listed)).toEqual(new Set(ours))
  })
})

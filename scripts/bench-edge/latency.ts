import { randomBytes } from 'node:crypto'
import { routes } from '../../shared/api/routes.ts'
import type { Dispatcher } from 'undici'
import type { Lab, Way } from './lab.ts'

/** A request that is measured, and what an edge may add to its median, in milliseconds. */
interface Scenario {
  readonly name: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer
  readonly mayAddMs: { readonly workerd: number; readonly node: number }
}

/** Milliseconds; what an edge adds is the difference of two quantiles of the same run. */
interface Quantiles {
  readonly p50: number
  readonly p99: number
}

export interface LatencyRow {
  readonly scenario: string
  readonly rounds: number
  readonly direct: Quantiles
  readonly workerd: Quantiles
  readonly node: Quantiles
  readonly mayAddMs: Scenario['mayAddMs']
}

/** Rounds that come first and do not count: compilers and connections warm up. */
const warmUpRounds = 60

/**
 * One request at a time, in turn over the three ways and the three scenarios: whatever else the machine does meets all
 * of them alike.
 */
export async function measureLatency(
  { direct, workerd, node }: Lab,
  rounds: number,
): Promise<readonly LatencyRow[]> {
  const scenarios = createScenarios()
  const clients = [direct, workerd, node].map((way) => ({ way, client: way.connect() }))
  const times = scenarios.map((): Times => ({ direct: [], workerd: [], node: [] }))
  for (let round = -warmUpRounds; round < rounds; round += 1) {
    for (const [index, scenario] of scenarios.entries()) {
      // A different one goes first each time: what follows a large upload is slower.
      for (let turn = 0; turn < clients.length; turn += 1) {
        const { way, client } = clients[(turn + Math.abs(round)) % clients.length]!
        const ms = await timeRequest(way, client, scenario)
        if (round >= 0) times[index]![way.name].push(ms)
      }
    }
  }
  await Promise.all(clients.map(({ client }) => client.destroy()))
  return scenarios.map(({ name, mayAddMs }, index) => ({
    scenario: name,
    rounds,
    mayAddMs,
    direct: quantilesOf(times[index]!.direct),
    workerd: quantilesOf(times[index]!.workerd),
    node: quantilesOf(times[index]!.node),
  }))
}

type Times = Record<Way['name'], number[]>

function createScenarios(): readonly Scenario[] {
  const json = { 'content-type': 'application/json' }
  const boundary = 'part-of-the-bench'
  const image = Buffer.concat([
    Buffer.from(`--${boundary}\r\ncontent-disposition: form-data; name="prompt"\r\n\r\nHi\r\n`),
    Buffer.from(
      `--${boundary}\r\ncontent-disposition: form-data; name="images"; filename="a.jpg"\r\n\r\n`,
    ),
    randomBytes(1024 * 1024),
    Buffer.from(`\r\n--${boundary}--\r\n`),
  ])
  return [
    {
      name: 'small JSON',
      path: routes.text.path,
      headers: json,
      body: JSON.stringify({ prompt: 'Hello!', max_tokens: 1 }),
      mayAddMs: { workerd: 0.6, node: 0.8 },
    },
    {
      name: '1 MB image',
      path: routes.image.path,
      headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
      body: image,
      mayAddMs: { workerd: 3, node: 4 },
    },
    {
      name: 'SSE, 100 chunks',
      path: routes.text.path,
      headers: json,
      body: JSON.stringify({ prompt: 'Hello!', max_tokens: 100, stream: true }),
      mayAddMs: { workerd: 1.5, node: 2 },
    },
  ]
}

/** @returns milliseconds from the first byte sent to the last one received */
async function timeRequest(
  { origin, headers }: Way,
  client: Dispatcher,
  scenario: Scenario,
): Promise<number> {
  const startedAt = performance.now()
  const { statusCode, body } = await client.request({
    origin,
    path: scenario.path,
    method: 'POST',
    headers: { ...headers, ...scenario.headers },
    body: scenario.body,
  })
  for await (const chunk of body) void chunk
  const ms = performance.now() - startedAt
  if (statusCode !== 200) throw new Error(`${scenario.name} was answered with ${statusCode}`)
  return ms
}

function quantilesOf(times: readonly number[]): Quantiles {
  const sorted = times.toSorted((left, right) => left - right)
  const at = (part: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))]!
  return { p50: at(0.5), p99: at(0.99) }
}

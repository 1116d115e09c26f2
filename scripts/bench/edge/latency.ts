import { randomBytes } from 'node:crypto'
import { routes } from '../../../shared/api/routes.ts'
import type { Dispatcher } from 'undici'
import type { Way, Ways } from './lab.ts'

/** A measured request, and the milliseconds an edge may add to its median. */
interface Scenario {
  readonly name: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | Buffer
  readonly mayAddMs: { readonly workerd: number; readonly node: number }
}

/** Milliseconds; what an edge adds is the difference between two quantiles of the same run. */
interface Quantiles {
  readonly p50: number
  readonly p99: number
}

export interface LatencyRow {
  readonly scenario: string
  readonly rounds: number
  readonly edges: Readonly<Record<Way['name'], Quantiles>>
  /** The same through proxies that only pass requests on. */
  readonly bare: Readonly<Record<Way['name'], Quantiles>>
  readonly mayAddMs: Scenario['mayAddMs']
}

/** Uncounted rounds at the start, in which compilers and connections warm up. */
const warmUpRounds = 300

/** Rounds with the edges, followed by as many with the bare proxies. */
const roundsInARow = 100

/** Measures edges and bare proxies in turns, because the machine's speed changes from minute to minute. */
export async function measureLatency(
  edges: Ways,
  bare: Ways,
  rounds: number,
): Promise<readonly LatencyRow[]> {
  const scenarios = createScenarios()
  const ofEdges = new Comparison(edges, scenarios)
  const ofBare = new Comparison(bare, scenarios)
  for (const comparison of [ofEdges, ofBare]) {
    await comparison.run(warmUpRounds)
    comparison.forget()
  }
  for (let done = 0; done < rounds; done += roundsInARow) {
    const next = Math.min(roundsInARow, rounds - done)
    await ofEdges.run(next)
    await ofBare.run(next)
  }
  await Promise.all([ofEdges.close(), ofBare.close()])
  return scenarios.map(({ name, mayAddMs }, index) => ({
    scenario: name,
    rounds,
    mayAddMs,
    edges: ofEdges.quantiles(index),
    bare: ofBare.quantiles(index),
  }))
}

/**
 * Sends one request at a time, rotating over the three ways and all scenarios, so that any disturbance of the machine
 * affects them all alike.
 */
class Comparison {
  readonly #scenarios: readonly Scenario[]
  readonly #clients: readonly { readonly way: Way; readonly client: Dispatcher }[]
  #times: readonly Times[] = []
  #round = 0

  constructor({ direct, workerd, node }: Ways, scenarios: readonly Scenario[]) {
    this.#scenarios = scenarios
    this.#clients = [direct, workerd, node].map((way) => ({ way, client: way.connect() }))
    this.forget()
  }

  forget(): void {
    this.#times = this.#scenarios.map(() => ({ direct: [], workerd: [], node: [] }))
  }

  async run(rounds: number): Promise<void> {
    for (let left = rounds; left > 0; left -= 1) {
      this.#round += 1
      for (const [index, scenario] of this.#scenarios.entries()) {
        // A different way goes first each time, because a request that follows a large upload is slower.
        for (let turn = 0; turn < this.#clients.length; turn += 1) {
          const { way, client } = this.#clients[(turn + this.#round) % this.#clients.length]!
          this.#times[index]![way.name].push(await timeRequest(way, client, scenario))
        }
      }
    }
  }

  quantiles(index: number): LatencyRow['edges'] {
    const { direct, workerd, node } = this.#times[index]!
    return {
      direct: quantilesOf(direct),
      workerd: quantilesOf(workerd),
      node: quantilesOf(node),
    }
  }

  async close(): Promise<void> {
    await Promise.all(this.#clients.map(({ client }) => client.destroy()))
  }
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

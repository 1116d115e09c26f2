import { cpus } from 'node:os'
import { Command, CommanderError, InvalidArgumentError } from 'commander'
import { measureLatency, type LatencyRow } from './edge/latency.ts'
import { startLab } from './edge/lab.ts'
import { runStorm, type StormReport } from './edge/storm.ts'
import { measureUploads, type UploadRow } from './edge/upload-memory.ts'
import { programs } from '../support/programs.ts'
import { markdownTable, writeSection } from '../performance/document.ts'

const defaultRounds = 1_000
const stormRequests = 1_200

/**
 * `npm run bench:edge`: measures what both edges add to a direct call of the backend, what a large upload costs them,
 * and how they cope with a storm of clients that disconnect. Prints tables and JSON.
 * @returns the exit code
 */
export async function main(given: readonly string[]): Promise<number> {
  const program = new Command('npm run bench:edge --')
    .option('--rounds <count>', 'requests of each kind on each way', parseRounds, defaultRounds)
    .option('--doc', 'write the tables into docs/performance.md', false)
    .exitOverride()
  try {
    program.parse([...given], { from: 'user' })
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode
    throw error
  }
  const { rounds, doc } = program.opts<{ rounds: number; doc: boolean }>()
  const lab = await startLab()
  try {
    const bare = {
      direct: lab.direct,
      workerd: await lab.startProxy('workerd', programs.bareWorker),
      node: await lab.startProxy('node', programs.bareNode),
    }
    const uploads = [
      ...(await measureUploads(lab.workerd, bare.workerd)),
      ...(await measureUploads(lab.node, bare.node)),
    ]
    const latency = await measureLatency(lab, bare, rounds)
    const storm = { requests: stormRequests, random: Math.random }
    const storms = [await runStorm(lab, lab.workerd, storm), await runStorm(lab, lab.node, storm)]
    const report = describe(latency, uploads, storms)
    console.log(report)
    console.log(JSON.stringify({ latency, uploads, storms }))
    if (doc) await writeSection('edge', report)
    return 0
  } finally {
    await lab.stop()
  }
}

function parseRounds(text: string): number {
  const rounds = Number(text)
  if (Number.isInteger(rounds) && rounds >= 10) return rounds
  throw new InvalidArgumentError('expected a whole number from 10')
}

function describe(
  latency: readonly LatencyRow[],
  uploads: readonly UploadRow[],
  storms: readonly StormReport[],
): string {
  return `Milliseconds per request, p50 / p99, ${latency[0]?.rounds} rounds interleaved on one machine (${cpus().length} cores) against a backend
that answers at once. Key check, revocation and all five limits included. What is added to a direct call is the difference of the
medians; "bare" is what a proxy adds that does nothing but pass on, on the same platform, every hundred rounds in turns.

${latencyTable(latency)}

An upload of 100 MiB, and the resident memory of the edge's process meanwhile; beside it that of the proxy that does
nothing but pass on.

${uploadTable(uploads)}

A storm: streams, whole answers and uploads, of whose clients three in four leave at a random moment.

${stormTable(storms)}`
}

type Latencies = LatencyRow['edges']

function latencyTable(rows: readonly LatencyRow[]): string {
  const pair = ({ p50, p99 }: Latencies['direct']) => `${p50.toFixed(2)} / ${p99.toFixed(1)}`
  const added = (ways: Latencies, name: 'workerd' | 'node') =>
    (ways[name].p50 - ways.direct.p50).toFixed(2)
  return markdownTable(
    [
      'request',
      'direct',
      'workerd',
      'Node',
      'workerd adds',
      'bare',
      'may',
      'Node adds',
      'bare',
      'may',
    ],
    rows.map(({ scenario, edges, bare, mayAddMs }) => [
      scenario,
      ...[edges.direct, edges.workerd, edges.node].map(pair),
      ...(['workerd', 'node'] as const).flatMap((name) => [
        added(edges, name),
        added(bare, name),
        String(mayAddMs[name]),
      ]),
    ]),
  )
}

function uploadTable(rows: readonly UploadRow[]): string {
  return markdownTable(
    ['edge', 'upload', 'seconds', 'idle MB', 'bare', 'peak MB', 'bare', 'may'],
    rows.map(({ way, form, edge, bare, mayTakeMb }) => [
      way,
      form,
      edge.seconds.toFixed(2),
      edge.idleMb.toFixed(0),
      bare.idleMb.toFixed(0),
      edge.peakMb.toFixed(0),
      bare.peakMb.toFixed(0),
      String(mayTakeMb),
    ]),
  )
}

function stormTable(rows: readonly StormReport[]): string {
  return markdownTable(
    ['edge', 'requests', 'finished', 'sockets left', 'running', 'reserved', 'MB before', 'after'],
    rows.map((row) => [
      row.way,
      String(row.requests),
      String(row.finished),
      String(row.socketsLeft),
      String(row.runningLeft),
      String(row.reservationsLeft),
      row.beforeMb.toFixed(0),
      row.afterMb.toFixed(0),
    ]),
  )
}

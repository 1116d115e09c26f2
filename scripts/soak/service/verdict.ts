import { sumOf, type Metrics } from '../../../shared/metrics/read-metrics.ts'
import type { DayUsage } from '../../../shared/api/administration/usage.ts'
import type { Role } from './call.ts'
import { runsOf, type helperGrowth, type MemoryGrowth } from './memory.ts'
import type { Tally } from './tally.ts'

type BothMetrics = Readonly<Record<'edge' | 'backend', Metrics>>

/** Everything that was counted in one soak. */
export interface Books {
  readonly tally: Tally
  /** Before the first request, and after the last one ended. */
  readonly before: BothMetrics
  readonly after: BothMetrics
  readonly usage: Readonly<Record<Role, readonly DayUsage[]>>
  readonly growth: readonly MemoryGrowth[]
  /** By how many image processes and threads grew in number. */
  readonly moreHelpers: ReturnType<typeof helperGrowth>
  /** Percent that memory may have grown by. */
  readonly maxGrowthPercent: number
}

/** @returns the problems, one line each; none if all is well */
export function verdict(books: Books): readonly string[] {
  return [
    ...answerProblems(books.tally),
    ...requestProblems(books),
    ...tokenProblems(books),
    ...remainders(books.after),
    ...(runsOf(books.before) === runsOf(books.after) ? [] : ['a process was started again']),
    ...memoryProblems(books),
  ]
}

function answerProblems({ empty, unexpected }: Tally): string[] {
  return [
    ...(empty === 0 ? [] : [`${empty} empty answers`]),
    ...[...unexpected].map(([what, count]) => `${count} times ${what}`),
  ]
}

/** Compares the clients' counts of requests with the edge's. */
function requestProblems({ tally, before, after }: Books): string[] {
  const { answered, answeredEarly, left, refused } = tally
  const counted = (label: string) => {
    const of = ({ edge }: BothMetrics) => asked(edge, label)
    return of(after) - of(before)
  }
  const ended = counted('code="none"')
  const endedOrLeft = ended + counted('code="cancelled"')
  // An answer may have been sent completely to a client that was about to leave.
  const least = answered + answeredEarly
  // A client may leave before its request has arrived.
  const unseen = Math.min(Math.max(0, tally.sent - counted('')), left)
  return [
    ...differs('requests refused or not', counted(''), tally.sent - unseen),
    ...differs('requests answered or left', endedOrLeft, least + left - unseen),
    ...(ended >= least ? [] : [`the edge counted ${ended} answers, clients had ${least}`]),
    ...[...refused].flatMap(([code, count]) =>
      differs(`refusals with ${code}`, counted(`code="${code}"`), count),
    ),
  ]
}

/** Requests other than those of administrators and scrapers, which are `GET` or have a path of their own. */
function asked(edge: Metrics, label: string): number {
  const name = 'describe_edge_requests_total'
  return (
    sumOf(edge, name, label) -
    ['/admin', '/metrics', '/livez', '/readyz', '/health'].reduce(
      (sum, path) => sum + sumOf(filterRoute(edge, path), name, label),
      0,
    )
  )
}

function filterRoute(metrics: Metrics, path: string): Metrics {
  return new Map([...metrics].filter(([series]) => series.includes(`route="${path}`)))
}

/** Compares tokens as answers report them, as the edge bills them and as both programs count them. */
function tokenProblems({ tally, before, after, usage }: Books): string[] {
  const billed = (role: Role, field: UsageField) => sum(usage[role].map((day) => day[field]))
  const counted = (side: 'edge' | 'backend', type: string) => {
    const name = `describe_${side === 'edge' ? 'edge_' : ''}tokens_total{type="${type}"}`
    return (after[side].get(name) ?? 0) - (before[side].get(name) ?? 0)
  }
  const both = (side: 'edge' | 'backend') => counted(side, 'input') + counted(side, 'output')
  const stayed = tally.usage.prompt_tokens + tally.usage.completion_tokens
  const left =
    billed('leaves', 'prompt_tokens') +
    billed('leaves', 'completion_tokens') +
    billed('leaves', 'unfinished_tokens')
  const told = [
    ['input', tally.usage.prompt_tokens],
    ['image', tally.usage.image_tokens],
    ['output', tally.usage.completion_tokens],
  ] as const
  return [
    ...(['prompt_tokens', 'image_tokens', 'completion_tokens'] as const).flatMap((field) =>
      differs(`${field} billed to clients that stayed`, billed('stays', field), tally.usage[field]),
    ),
    ...differs('unfinished tokens of clients that stayed', billed('stays', 'unfinished_tokens'), 0),
    ...differs('tokens billed for wrong requests', billed('errs', 'prompt_tokens'), 0),
    ...differs("tokens in the edge's metrics", both('edge'), stayed + left),
    ...(['edge', 'backend'] as const).flatMap((side) =>
      told
        .filter(([type, count]) => counted(side, type) < count)
        .map(
          ([type, count]) =>
            `the ${side} counted ${counted(side, type)} ${type} tokens, answers reported ${count}`,
        ),
    ),
    ...overcharge(both('backend') - stayed, left),
  ]
}

type UsageField = 'prompt_tokens' | 'image_tokens' | 'completion_tokens' | 'unfinished_tokens'

/**
 * For a client that left, the backend counts what it computed until it noticed. The edge bills what the backend had
 * reported by then: never more.
 */
function overcharge(counted: number, billed: number): string[] {
  if (billed <= counted) return []
  return [`clients that left were billed ${billed} tokens, the backend counted ${counted}`]
}

/** Checks that nothing runs or waits any more. */
function remainders({ edge, backend }: BothMetrics): string[] {
  return [
    ...differs('requests running at the edge', sumOf(edge, 'describe_edge_requests_running'), 0),
    ...differs('requests waiting', sumOf(backend, 'describe_requests_waiting'), 0),
    ...differs('slots in use', sumOf(backend, 'describe_slots_running'), 0),
    ...differs('slots paused', sumOf(backend, 'describe_slots_paused'), 0),
  ]
}

/** A process that grows must not be hidden by others that shrink: each may grow by the same share of the whole. */
function memoryProblems({ growth, moreHelpers, maxGrowthPercent }: Books): string[] {
  const whole = growth.find(({ name }) => name === 'all')?.megabytes ?? NaN
  const mayGrow = (maxGrowthPercent / 100) * whole
  const grown = growth
    .filter(({ grownMegabytes }) => !(grownMegabytes <= mayGrow))
    .map(
      ({ name, grownMegabytes }) =>
        `memory (${name}) grew by ${grownMegabytes.toFixed(2)} MB, more than ${maxGrowthPercent} % of ${whole.toFixed(1)} MB`,
    )
  const { decodeProcesses, workerThreads } = moreHelpers
  return [
    ...grown,
    ...helpersGrown('image processes', decodeProcesses),
    ...helpersGrown('threads of the backend', workerThreads),
  ]
}

function helpersGrown(what: string, more: number): string[] {
  return more < 1 ? [] : [`the number of ${what} grew by ${more.toFixed(1)}`]
}

function differs(what: string, is: number, expected: number): string[] {
  return is === expected ? [] : [`${what}: ${is}, expected ${expected}`]
}

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0)

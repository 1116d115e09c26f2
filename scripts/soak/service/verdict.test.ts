import { describe, expect, it } from 'vitest'
import type { DayUsage } from '../../../shared/api/administration/usage.ts'
import { helperGrowth, memoryGrowth, type MemorySample } from './memory.ts'
import { createTally } from './tally.ts'
import { verdict, type Books } from './verdict.ts'

const noUsage: DayUsage = {
  key_id: 'a',
  day: '2026-01-01',
  requests: 0,
  errors: 0,
  cancelled: 0,
  images: 0,
  prompt_tokens: 0,
  image_tokens: 0,
  completion_tokens: 0,
  unfinished_tokens: 0,
  seconds: 0,
}

const text = '/generate/text'
const edgeRequests = (code: string, status = 200, route = text) =>
  `describe_edge_requests_total{route="${route}",status="${status}",code="${code}"}`

const edgeBefore = { process_start_time_seconds: 1, [edgeRequests('none')]: 2 }
const edgeAfter = {
  process_start_time_seconds: 1,
  [edgeRequests('none')]: 2 + 10,
  [edgeRequests('none', 200, '/admin/usage')]: 1,
  [edgeRequests('cancelled')]: 1,
  [edgeRequests('invalid_json', 400)]: 3,
  'describe_edge_tokens_total{type="input"}': 130,
  'describe_edge_tokens_total{type="image"}': 40,
  'describe_edge_tokens_total{type="output"}': 55,
  describe_edge_requests_running: 0,
}
const backendBefore = { process_start_time_seconds: 2, describe_engine_restarts_total: 0 }
const backendAfter = {
  ...backendBefore,
  'describe_tokens_total{type="input"}': 140,
  'describe_tokens_total{type="image"}': 40,
  'describe_tokens_total{type="output"}': 60,
  'describe_requests_waiting{priority="interactive"}': 0,
  describe_slots_running: 0,
  describe_slots_paused: 0,
}

/**
 * Changes to records in which everything adds up: nine answers, one of them early, and one client that left too late.
 */
interface Changes {
  readonly edge?: Readonly<Record<string, number>>
  readonly backend?: Readonly<Record<string, number>>
  readonly stays?: Partial<DayUsage>
  readonly leaves?: Partial<DayUsage>
  readonly tally?: Partial<ReturnType<typeof createTally>>
  readonly lastMegabytes?: number
  /** What differs at the end. */
  readonly last?: Partial<MemorySample>
}

function books(changes: Changes = {}): Books {
  const metrics = (values: Readonly<Record<string, number>>) => new Map(Object.entries(values))
  const usage = { prompt_tokens: 100, image_tokens: 30, completion_tokens: 50 }
  const engine = [1, 2, 3, changes.lastMegabytes ?? 3]
  const samples = [...engine.map(memoryAt), { ...memoryAt(engine[3]!, 4), ...changes.last }]
  return {
    tally: {
      ...createTally(),
      sent: 14,
      answered: 8,
      answeredEarly: 1,
      left: 2,
      usage,
      refused: new Map([['invalid_json', 3]]),
      ...changes.tally,
    },
    before: { edge: metrics(edgeBefore), backend: metrics(backendBefore) },
    after: {
      edge: metrics({ ...edgeAfter, ...changes.edge }),
      backend: metrics({ ...backendAfter, ...changes.backend }),
    },
    usage: {
      stays: [{ ...noUsage, ...usage, ...changes.stays }],
      leaves: [
        { ...noUsage, prompt_tokens: 20, completion_tokens: 4, unfinished_tokens: 11 },
        { ...noUsage, ...changes.leaves },
      ],
      errs: [noUsage],
    },
    growth: memoryGrowth(samples),
    moreHelpers: helperGrowth(samples),
    maxGrowthPercent: 1,
  }
}

function memoryAt(engine: number, index: number): MemorySample {
  return {
    seconds: index,
    edge: 10,
    backend: 10,
    engine,
    decode: 10,
    decodeProcesses: 2,
    workerThreads: 1,
  }
}

describe('verdict()', () => {
  it('finds nothing when everything adds up', () => {
    expect(verdict(books())).toEqual([])
  })

  it('accepts one image process more, or less, of the same size', () => {
    for (const [decode, decodeProcesses] of [
      [15, 3],
      [5, 1],
    ] as const) {
      const problems = verdict(books({ last: { decode, decodeProcesses } }))
      expect(problems.filter((problem) => problem.startsWith('memory'))).toEqual([])
    }
  })

  it('accepts that a client left before its request had arrived', () => {
    const unseen = { [edgeRequests('cancelled')]: 0 }
    expect(verdict(books({ edge: unseen }))).toEqual([])
  })

  it.each<[string, Changes, string]>([
    [
      'more requests unseen than clients that left',
      { edge: { [edgeRequests('none')]: 2 + 7, [edgeRequests('cancelled')]: 1 } },
      'requests refused or not: 11, expected 12',
    ],
    ['an empty answer', { tally: { empty: 1 } }, '1 empty answers'],
    ['a broken stream', { tally: { unexpected: new Map([['it broke', 2]]) } }, '2 times it broke'],
    [
      'a request nobody sent',
      { edge: { [edgeRequests('none')]: 13 } },
      'requests answered or left: 12, expected 11',
    ],
    [
      'a refusal under another code',
      { edge: { [edgeRequests('invalid_json', 400)]: 2, [edgeRequests('internal', 500)]: 1 } },
      'refusals with invalid_json: 2, expected 3',
    ],
    [
      'a bill above the usage of answers',
      { stays: { completion_tokens: 51 } },
      'completion_tokens billed to clients that stayed: 51, expected 50',
    ],
    [
      'a bill above what was computed',
      { leaves: { unfinished_tokens: 20 } },
      'clients that left were billed 55 tokens, the backend counted 50',
    ],
    [
      'tokens that the backend forgot',
      { backend: { 'describe_tokens_total{type="image"}': 29 } },
      'the backend counted 29 image tokens, answers reported 30',
    ],
    [
      'a restart of the engine',
      { backend: { describe_engine_restarts_total: 1 } },
      'a process was started again',
    ],
    [
      'a slot that is still used',
      { backend: { describe_slots_running: 1 } },
      'slots in use: 1, expected 0',
    ],
    [
      'memory that grows',
      { lastMegabytes: 4 },
      'memory (engine) grew by 1.00 MB, more than 1 % of 33.7 MB',
    ],
    [
      'image processes that grow',
      { last: { decode: 18, decodeProcesses: 3 } },
      'memory (decode) grew by 2.33 MB, more than 1 % of 35.4 MB',
    ],
    [
      'more and more image processes',
      { last: { decode: 15, decodeProcesses: 3 } },
      'the number of image processes grew by 1.0',
    ],
    [
      'more and more threads',
      { last: { backend: 15, workerThreads: 2 } },
      'the number of threads of the backend grew by 1.0',
    ],
  ])('finds %s', (_, changes, problem) => {
    expect(verdict(books(changes))).toContain(problem)
  })
})

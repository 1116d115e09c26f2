import { startCluster, type Cluster } from '../../../backend/cluster/create-cluster.ts'
import { timeLimits, type TimeLimits } from '../../../backend/cluster/engine/time-limits.ts'
import type { DescribeRequest } from '../../../backend/describe.ts'
import { createNormalizer } from '../../../backend/processor/create-normalizer.ts'
import { createLocalTasks } from '../../../backend/processor/tasks/processor-tasks.ts'
import type { GenerationEvent } from '../../../shared/api/events.ts'
import { createTestFormats } from '../backends/test-formats.ts'

const modelFolder = 'models/kimi-vl-nano'
const tasks = createLocalTasks(modelFolder)

interface TestClusterOptions {
  readonly urls: readonly string[]
  readonly limits?: Partial<TimeLimits>
  readonly slots?: number
  readonly queueLimit?: number
  readonly apiKey?: string
  readonly model?: string
  /** Whether the model thinks before it answers. */
  readonly reasons?: boolean
}

export interface TestCluster extends Cluster {
  readonly log: string[]
}

/** A cluster of stand-ins, with the tokenizer and pictures of the little model. */
export async function startTestCluster(options: TestClusterOptions): Promise<TestCluster> {
  const { urls, limits = {}, slots = 8, queueLimit = 64, apiKey, model } = options
  const log: string[] = []
  const normalizer = await createNormalizer({ modelFolder, tasks })
  const cluster = await startCluster(normalizer, {
    settings: { urls, apiKey, model, slots, cacheSecret: 'a secret of 24 characters' },
    queue: { queueLimit, queueWorkLimit: 1_000_000, tenantWeights: new Map() },
    limits: { ...timeLimits, ...limits },
    defaultMaxTokens: 100,
    contextTokens: 131_072,
    reasons: options.reasons ?? false,
    formats: createTestFormats(),
    now: () => performance.now(),
    log: (level, facts, text) => log.push(`${level} ${JSON.stringify(facts)} ${text}`),
  })
  return { ...cluster, log }
}

/** A question as the routes pass it on. */
export function question(changes: Partial<DescribeRequest> = {}): DescribeRequest {
  return {
    tenant: 'key:one',
    timeoutMs: 30_000,
    messages: [{ role: 'user', content: [{ type: 'text', text: 'What is it?' }] }],
    images: [],
    sampling: { temperature: 0, topP: 1 },
    stop: [],
    choices: 1,
    topLogprobs: undefined,
    maxTokens: 50,
    priority: 'interactive',
    ...changes,
  }
}

/** An answer read to its end. */
export interface ReadAnswer {
  /** Of each choice. */
  readonly texts: string[]
  readonly queued: Extract<GenerationEvent, { type: 'queued' }>
  readonly deltas: Extract<GenerationEvent, { type: 'delta' }>[]
  readonly end: Extract<GenerationEvent, { type: 'end' }>
}

/** @param partial gathers what came, also of an answer that fails */
export async function readDescription(
  events: AsyncIterable<GenerationEvent>,
  partial: GenerationEvent[] = [],
): Promise<ReadAnswer> {
  for await (const event of events) partial.push(event)
  const ofType = <Type extends GenerationEvent['type']>(type: Type) =>
    partial.filter((event) => event.type === type) as Extract<GenerationEvent, { type: Type }>[]
  const [queued] = ofType('queued')
  const [end] = ofType('end')
  const deltas = ofType('delta')
  if (queued === undefined || end === undefined) throw new Error('The answer is not whole')
  const texts = end.endings.map((_, choice) =>
    deltas.flatMap(({ index, text }) => (index === choice ? [text] : [])).join(''),
  )
  return { texts, queued, deltas, end }
}

import { createHmac, randomBytes } from 'node:crypto'
import { Agent } from 'undici'
import type { Describer } from '../describe.ts'
import type { EngineSnapshot } from '../engine/job.ts'
import type { FormatCompiler } from '../processor/tasks/format-compiler.ts'
import type { NormalizedPrompt, Normalizer } from '../processor/create-normalizer.ts'
import { createClusterDescriber } from './answer/cluster-describer.ts'
import type { ClusterSettings } from './cluster-settings.ts'
import { clusterSnapshot } from './cluster-snapshot.ts'
import { Dispatcher } from './answer/dispatcher.ts'
import { EngineEntry, type EngineView } from './health/engine-entry.ts'
import type { EngineFacts } from './engine/engine-facts.ts'
import type { EngineProblem } from './engine/engine-problem.ts'
import type { EngineTarget } from './engine/engine-target.ts'
import { Prober } from './health/prober.ts'
import { testGeneration, testPrompt } from './health/test-generation.ts'
import type { TimeLimits } from './engine/time-limits.ts'

/**
 * Milliseconds that an unused connection is kept: uvicorn, in which vLLM and SGLang run, closes its own after 5 s, and
 * a request on its way at that moment is lost.
 */
const keepAliveMs = 2_000

interface ClusterOptions {
  readonly settings: ClusterSettings
  readonly queue: {
    readonly queueLimit: number
    readonly queueWorkLimit: number
    readonly tenantWeights: ReadonlyMap<string, number>
  }
  readonly limits: TimeLimits
  readonly defaultMaxTokens: number
  /** Of the model, whatever the engines say. */
  readonly contextTokens: number
  /** Whether the model thinks before it answers. */
  readonly reasons: boolean
  readonly formats: Pick<FormatCompiler, 'compile'>
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  readonly log: (level: 'info' | 'warn', facts: object, text: string) => void
}

/** Engines elsewhere, in place of the one in this server. */
export interface Cluster {
  readonly describer: Describer
  /** Whether an engine is ready. */
  isReady(): boolean
  /** Settles when one is for the first time. */
  readonly readyOnce: Promise<void>
  /** Tokens of prompt and answer together that every ready engine can hold. */
  contextTokens(): number
  snapshot(): EngineSnapshot
  views(): readonly EngineView[]
  close(): Promise<void>
}

/** @param normalizer stays the caller's */
export async function startCluster(
  normalizer: Normalizer,
  options: ClusterOptions,
): Promise<Cluster> {
  const { settings, queue, limits, now, log } = options
  const closing = new AbortController()
  const prompt = await testPrompt(normalizer, closing.signal)
  const targets = targetsOf(settings, limits)
  const engines = targets.map((target) => new EngineEntry(target, settings.slots, now))
  const dispatcher = new Dispatcher({ ...queue, engines, now, random: Math.random })
  const ready = Promise.withResolvers<void>()
  const isReady = () => engines.some((engine) => engine.isReady)
  const contextTokens = () => contextOf(engines, options.contextTokens)
  const report = (level: 'info' | 'warn', { target }: EngineEntry, text: string) =>
    log(level, { engine: target.id }, text)

  const prober = new Prober({
    engines,
    model: settings.model,
    limits,
    now,
    async test(engine, facts, signal) {
      const counted = await testGeneration(engine.target, facts, prompt, limits, signal)
      const doubt = doubtOf(facts, counted, prompt)
      if (doubt !== undefined) report('warn', engine, doubt)
    },
    onChange() {
      if (isReady()) ready.resolve()
      dispatcher.engineChanged()
    },
    report,
  })
  prober.start()

  const describer = createClusterDescriber({
    normalizer,
    formats: options.formats,
    dispatcher,
    limits,
    now,
    defaultMaxTokens: options.defaultMaxTokens,
    reasons: options.reasons,
    contextTokens,
    saltOf: createSalts(settings.cacheSecret),
    onProblem(engine: EngineEntry, problem: EngineProblem) {
      report('warn', engine, problem.message)
      dispatcher.engineChanged()
    },
  })
  return {
    describer,
    isReady,
    readyOnce: ready.promise,
    contextTokens,
    snapshot: () => clusterSnapshot(engines, dispatcher, queue),
    views: () => engines.map((engine) => engine.view()),
    async close() {
      prober.stop()
      closing.abort()
      await Promise.all(targets.map(({ agent }) => agent.destroy()))
    },
  }
}

function targetsOf({ urls, apiKey }: ClusterSettings, { connectMs }: TimeLimits): EngineTarget[] {
  return urls.map((baseUrl) => ({
    id: new URL(baseUrl).host,
    baseUrl,
    apiKey,
    agent: new Agent({ connect: { timeout: connectMs }, keepAliveTimeout: keepAliveMs }),
  }))
}

/** What all ready engines can hold; the model's own context while none is ready. */
function contextOf(engines: readonly EngineEntry[], modelTokens: number): number {
  const ready = engines.filter(({ isReady }) => isReady)
  const tokens = ready.map(({ facts }) => facts?.contextTokens ?? modelTokens)
  return Math.min(modelTokens, ...tokens)
}

/** A keyed hash for each tenant, so that no names reach the engines or their logs. */
function createSalts(secret = randomBytes(32).toString('hex')): (tenant: string) => string {
  return (tenant) => createHmac('sha256', secret).update(tenant).digest('base64url')
}

/** Reasons to doubt that an engine serves the model of MODEL_PATH, and serves it well. */
function doubtOf(
  { kind, version = '' }: EngineFacts,
  counted: number | undefined,
  { promptTokens }: NormalizedPrompt,
): string | undefined {
  if (counted !== undefined && counted !== promptTokens) {
    return `it counts ${counted} tokens in a prompt of ${promptTokens}: its model or chat template is not that of MODEL_PATH`
  }
  const minor = /^0\.(\d+)\./.exec(version)?.[1]
  if (kind === 'vllm' && minor !== undefined && Number(minor) < leastVllmMinor) {
    return `vLLM ${version} is older than 0.${leastVllmMinor}, in which pictures of one tenant may be taken for another's`
  }
  return undefined
}

/** The first minor version of vLLM 0 without CVE-2026-105754. */
const leastVllmMinor = 30

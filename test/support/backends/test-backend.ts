import { Writable } from 'node:stream'
import { connect, type TLSSocket } from 'node:tls'
import { pino } from 'pino'
import { Agent, fetch, type RequestInit, type Response } from 'undici'
import { createDescriber } from '../../../backend/describe.ts'
import type {
  Engine,
  EngineEvent,
  EngineSnapshot,
  GenerateJob,
  Generation,
} from '../../../backend/engine/job.ts'
import { createBackendMetrics } from '../../../backend/metrics/backend-metrics.ts'
import { noSpeculation } from '../../../backend/engine/speculation/speculation.ts'
import { noPhaseTimes } from '../../../backend/engine/turns/phase-times.ts'
import { createBackendApp } from '../../../backend/http/app.ts'
import { BodyMemory } from '../../../shared/bytes/body-memory.ts'
import { RunningExchanges } from '../../../backend/http/exchange/exchange.ts'
import { logRefusals } from '../../../backend/http/server/log-refusals.ts'
import {
  createBackendServer,
  listen,
  stopServer,
  type Drain,
} from '../../../backend/http/server/server.ts'
import { after as realAfter, type After } from '../../../shared/async/timer.ts'
import type { Message, Processor } from '../../../backend/processor/processor.ts'
import type { Serving } from '../../../backend/serving/serving.ts'
import { createCertificates } from '../../../shared/node/certificates/create-certificates.ts'
import type { CertificateSet } from '../../../shared/node/certificates/create-certificates.ts'
import { ConnectionShare } from '../../../shared/node/connections/connection-share.ts'
import { shareConnections } from '../../../shared/node/connections/share-connections.ts'
import { lineWriter } from '../../../shared/node/log/log.ts'
import { createTestFormats } from './test-formats.ts'
import { defaultDeadlineMs } from '../../../shared/api/limits.ts'
import { ServiceError } from '../../../shared/api/errors.ts'
import type { RecommendedRules } from '../../../shared/api/request/preset.ts'
import type { FinishReason } from '../../../shared/api/events.ts'
import type { Transport } from '../../../shared/fetch/fetch-image.ts'

const never = new AbortController().signal

/** Certificates of one authority, valid for localhost. */
export function makeCertificates(client: string): Promise<CertificateSet> {
  return createCertificates({ server: ['localhost', '127.0.0.1'], client }, Date.now())
}

/** A processor whose token ids are UTF-16 code units; id 0 stands for half a character. Any file is an image. */
export class FakeProcessor implements Processor {
  readonly stopIds = [70_000]
  readonly controlIdsFrom = 70_000
  readonly thoughtMarks = { begin: [], end: [] }
  readonly prepared: { messages: readonly Message[]; images: readonly Uint8Array[] }[] = []
  failure: Error | undefined

  async prepare(messages: readonly Message[], images: readonly Uint8Array[]) {
    if (this.failure !== undefined) throw this.failure
    this.prepared.push({ messages, images })
    const promptIds = Int32Array.from({ length: 7 + images.length }, (_, index) => index)
    return { promptIds, images: [], imageTokens: images.length }
  }

  createDetokenizer() {
    let held = 0
    return {
      push(ids: readonly number[]) {
        held = ids.filter((id) => id === 0).length
        return String.fromCharCode(...ids.filter((id) => id !== 0))
      },
      flush: () => '\uFFFD'.repeat(held),
    }
  }

  tokenText(id: number) {
    return String.fromCharCode(id)
  }

  tokenBytes(id: number) {
    return new TextEncoder().encode(this.tokenText(id))
  }

  async close() {}
}

/** An engine that emits `batches`, waiting before each one for `beforeBatch`. */
export class FakeEngine implements Engine {
  batches: readonly string[] = ['A red', ' circle', '', '.']
  finishReason: FinishReason = 'stop'
  beforeQueued: () => Promise<void> = async () => {}
  beforeBatch: (index: number) => Promise<void> = async () => {}
  readonly jobs: GenerateJob[] = []
  readonly running = new Set<string>()
  readonly abortReasons: unknown[] = []
  /** Ignores aborts, like a step that takes long. */
  deaf = false

  generate(job: GenerateJob, signal: AbortSignal): Generation {
    const events = this.#events(job, signal)
    return { [Symbol.asyncIterator]: () => events, stop: () => {} }
  }

  async *#events(job: GenerateJob, signal: AbortSignal): AsyncGenerator<EngineEvent> {
    const { choices = 1 } = job
    this.jobs.push(job)
    this.running.add(job.id)
    const aborted = new Promise<never>((_, reject) => {
      const abort = () => {
        this.abortReasons.push(signal.reason)
        if (!this.deaf) reject(new ServiceError('cancelled', 'The request was cancelled'))
      }
      if (signal.aborted) abort()
      else signal.addEventListener('abort', abort)
    })
    aborted.catch(() => {})
    try {
      await Promise.race([this.beforeQueued(), aborted])
      yield { type: 'queued', position: 0 }
      for (const [index, text] of this.batches.entries()) {
        await Promise.race([this.beforeBatch(index), aborted])
        const ids = Array.from(text, (character) => character.charCodeAt(0))
        const logprobs = ids.map((id) => ({ id, logprob: -id, top: [{ id, logprob: -id }] }))
        for (let choice = 0; choice < choices; choice++) {
          yield { type: 'tokens', choice, ids, ...(job.topLogprobs !== undefined && { logprobs }) }
        }
      }
      const timings = { queueMs: 1, visionMs: 2, prefillMs: 3, decodeMs: 4 }
      yield {
        type: 'end',
        finishReasons: Array.from({ length: choices }, () => this.finishReason),
        completionTokens: this.batches.length,
        cachedTokens: 0,
        timings,
      }
    } finally {
      this.running.delete(job.id)
    }
  }

  snapshot(): EngineSnapshot {
    const slotsInUse = this.running.size
    return {
      slots: 4,
      slotsInUse,
      paused: 0,
      pauses: 0,
      queued: 0,
      queuedInteractive: 0,
      queuedBatch: 0,
      queueLimit: 8,
      queuedWork: 0,
      queueWorkLimit: 100_000,
      workPerSecond: 50,
      cachedTokens: 0,
      memory: {
        limitTokens: 8192,
        bytesPerToken: 64,
        slotTokens: 0,
        prefixTokens: 0,
        imageBytes: 0,
      },
      visionRuns: 0,
      steps: 0,
      phases: noPhaseTimes,
      speculation: noSpeculation,
    }
  }
}

/** Timers that fire when the test says so. */
export class ManualTimers {
  readonly #pending = new Set<{ ms: number; callback: () => void }>()

  readonly after: After = (ms, callback) => {
    const timer = { ms, callback }
    this.#pending.add(timer)
    return () => this.#pending.delete(timer)
  }

  /** Fires all timers of exactly `ms`. @returns how many there were */
  fire(ms: number): number {
    const due = [...this.#pending].filter((timer) => timer.ms === ms)
    for (const timer of due) {
      this.#pending.delete(timer)
      timer.callback()
    }
    return due.length
  }
}

export interface TestBackend {
  readonly port: number
  readonly certificates: CertificateSet
  readonly processor: FakeProcessor
  readonly engine: FakeEngine
  readonly logLines: Record<string, unknown>[]
  readiness: ReturnType<Serving['readiness']>
  certificatesAreValid: boolean
  fetch(path: string, init?: RequestInit): Promise<Response>
  /** A TLS connection with the client certificate, for bytes that no HTTP client would send. */
  open(options?: { session?: Buffer }): Promise<TLSSocket>
  /** As if the process were killed, except that the next connection finds it again. */
  cutConnections(): void
  stopServer(drain?: Drain): Promise<void>
  /** Ends the server and all connections to it. */
  stop(): Promise<void>
}

interface TestBackendOptions {
  readonly certificates: CertificateSet
  readonly allowedClients?: readonly string[]
  readonly after?: After
  readonly heartbeatMs?: number
  /** Whether the log says why connections were refused. */
  readonly logRefusals?: boolean
  readonly maxConnections?: number
  readonly transport?: Transport
  readonly fetchesImages?: boolean
  /** Bytes; unlimited unless given. */
  readonly uploadMemoryBytes?: number
  /** What the model's makers recommend; nothing unless given. */
  readonly recommended?: RecommendedRules
  /** Whether the model thinks before it answers. */
  readonly reasons?: boolean
  /** Replacement for the fakes, in which case the fakes in `TestBackend` see nothing. */
  readonly parts?: { readonly processor: Processor; readonly engine: Engine }
}

/** The real HTTPS server on a free port, over a fake processor and engine. */
export async function startTestBackend(options: TestBackendOptions): Promise<TestBackend> {
  const { certificates } = options
  const processor = new FakeProcessor()
  const engine = new FakeEngine()
  const logLines: Record<string, unknown>[] = []
  const running = new RunningExchanges(new BodyMemory(options.uploadMemoryBytes ?? Infinity))
  const describer = createDescriber({
    ...(options.parts ?? { processor, engine }),
    formats: createTestFormats(),
    now: () => performance.now(),
    randomSeed: () => 42,
    defaultMaxTokens: 100,
    reasons: options.reasons ?? false,
  })
  const log = pino({ level: 'trace' }, collectLines(logLines))
  const serving = {
    isLoaded: () => backend.readiness !== 'model_loading',
    isProven: () => backend.readiness === 'ready',
    memory: () => undefined,
    startUp: () => ({ starts: 1, seconds: 0.5, converted: undefined, loaded: undefined }),
    snapshot: () => engine.snapshot(),
    enginePid: () => undefined,
    decodePids: () => [],
    workerThreads: () => 0,
    engines: undefined,
  }
  const provider = { name: 'cpu', reason: 'PROVIDER=cpu', layers: { cpu: 4, gpu: 0 } }
  const isReady = () => backend.readiness === 'ready'
  const metrics = createBackendMetrics({ serving, isReady, provider })
  const app = createBackendApp({
    running,
    log,
    now: () => performance.now(),
    deadlineMs: defaultDeadlineMs,
    allowedClients: options.allowedClients ?? ['edge'],
    health: {
      readiness: () => (running.closing ? 'shutting_down' : backend.readiness),
      serving,
      provider,
      certificates: { isValid: () => backend.certificatesAreValid, report: () => [] },
    },
    metrics,
    tracing: undefined,
    onClientCertificate: () => undefined,
    model: {
      id: 'kimi-vl-nano',
      aliases: ['kimi-vl'],
      createdAt: 1_800_000_000,
      contextTokens: 131_072,
      imageTokens: 1_024,
      mostImageTokens: 1_338,
      recommended: options.recommended ?? {},
      reasons: options.reasons ?? false,
    },
    generate: {
      describer: () => describer,
      images: {
        transport:
          options.transport ?? (() => Promise.reject(new Error('There is no network here'))),
        enabled: options.fetchesImages ?? true,
      },
      streaming: {
        after: options.after ?? realAfter,
        now: () => performance.now(),
        heartbeatMs: options.heartbeatMs ?? 60_000,
      },
      onTokenGap: metrics.countGap,
    },
  })
  const { ca, server: cert, serverKey: key } = certificates
  const server = createBackendServer(app, { ca, cert, key })
  if (options.logRefusals === true) logRefusals(server, log, () => performance.now())
  shareConnections(server, {
    share: new ConnectionShare(options.maxConnections ?? Infinity),
    standingOf: () => 'many',
    log: lineWriter(log),
    now: () => performance.now(),
  })
  const port = await listen(server, 0, '127.0.0.1')
  const identity = { ca, cert: certificates.client, key: certificates.clientKey }
  const agent = new Agent({ connect: identity })
  const backend: TestBackend = {
    port,
    certificates,
    processor,
    engine,
    logLines,
    readiness: 'ready',
    certificatesAreValid: true,
    fetch: (path, init = {}) =>
      fetch(`https://localhost:${port}${path}`, { dispatcher: agent, ...init }),
    open: (more = {}) =>
      new Promise((resolve, reject) => {
        const socket = connect({ port, host: 'localhost', ...identity, ...more }, () =>
          resolve(socket),
        )
        socket.once('error', reject)
      }),
    cutConnections: () => server.closeAllConnections(),
    stopServer: (drain = { drainMs: 10_000, hurry: never }) => stopServer(server, running, drain),
    async stop() {
      await agent.destroy()
      await stopServer(server, running, { drainMs: 2_500, hurry: never })
    },
  }
  return backend
}

function collectLines(lines: Record<string, unknown>[]): Writable {
  return new Writable({
    write(chunk: Buffer, _encoding, done) {
      lines.push(JSON.parse(chunk.toString()) as Record<string, unknown>)
      done()
    },
  })
}

/** Waits until `condition` holds, checking every few milliseconds. */
export async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setTimeout(resolve, 5))
}

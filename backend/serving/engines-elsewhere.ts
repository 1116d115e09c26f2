import { ServiceError } from '../../shared/api/errors.ts'
import { unlessAborted } from '../../shared/async/unless-aborted.ts'
import type { Log } from '../../shared/node/log/log.ts'
import { idleClusterSnapshot } from '../cluster/cluster-snapshot.ts'
import { startCluster, type Cluster } from '../cluster/create-cluster.ts'
import type { EngineView } from '../cluster/health/engine-entry.ts'
import { timeLimits } from '../cluster/engine/time-limits.ts'
import type { BackendConfig } from '../config.ts'
import type { Describer } from '../describe.ts'
import { createNormalizer, type Normalizer } from '../processor/create-normalizer.ts'
import { loadFrom, now, startProcessing, workerThreads, type Processing } from './processing.ts'
import type { Serving } from './serving.ts'

/** What matters here of the model that the engines run. */
interface ModelTraits {
  /** Of prompt and answer together. */
  readonly contextTokens: number
  /** Whether it thinks before it answers. */
  readonly reasons: boolean
}

/** Engines that other programs run, such as vLLM. Here requests are only prepared, queued and passed to them. */
export class EnginesElsewhere implements Serving {
  readonly #config: BackendConfig
  readonly #model: ModelTraits
  readonly #log: Log
  readonly #startedMs = now()
  #readyMs: number | undefined
  #processing: Processing | undefined
  #loading: Promise<Normalizer> | undefined
  #cluster: Cluster | undefined

  constructor(config: BackendConfig, model: ModelTraits, log: Log) {
    this.#config = config
    this.#model = model
    this.#log = log
  }

  readonly contextTokens = (): number => this.#cluster?.contextTokens() ?? this.#model.contextTokens
  readonly engines = (): readonly EngineView[] => this.#cluster?.views() ?? []

  describer(): Describer {
    if (this.#readyMs !== undefined) return this.#cluster!.describer
    throw new ServiceError('model_loading', 'No engine is ready yet')
  }

  readiness(): ReturnType<Serving['readiness']> {
    if (this.isProven()) return 'ready'
    return this.#readyMs === undefined ? 'model_loading' : 'engine_restarting'
  }

  isLoaded(): boolean {
    return this.#cluster !== undefined
  }

  isProven(): boolean {
    return this.#cluster?.isReady() === true
  }

  /** No process is started here, and nothing converted. */
  startUp(): ReturnType<Serving['startUp']> {
    const ms = (this.#readyMs ?? now()) - this.#startedMs
    return {
      starts: 0,
      seconds: Math.round(ms / 100) / 10,
      converted: undefined,
      loaded: undefined,
    }
  }

  snapshot(): ReturnType<Serving['snapshot']> {
    return this.#cluster?.snapshot() ?? idleClusterSnapshot(this.#config.engine)
  }

  memory(): undefined {
    return undefined
  }

  enginePid(): undefined {
    return undefined
  }

  decodePids(): readonly number[] {
    return this.#processing?.tasks.imagePids ?? []
  }

  workerThreads(): number {
    return this.#processing === undefined ? 0 : workerThreads(this.#processing)
  }

  async start(stopping: AbortSignal): Promise<void> {
    const { model, engine: queue, defaultMaxTokens, cluster: settings } = this.#config
    if (settings === undefined) throw new TypeError('No engines are configured')
    const { checkpointDir: modelFolder } = model
    const processing = startProcessing(this.#config)
    this.#processing = processing
    const { tasks, formats } = processing
    this.#loading = loadFrom(modelFolder, () => createNormalizer({ modelFolder, tasks }))
    const cluster = await startCluster(await this.#loading, {
      settings,
      queue,
      limits: timeLimits,
      defaultMaxTokens,
      contextTokens: this.#model.contextTokens,
      reasons: this.#model.reasons,
      formats,
      now,
      log: (level, facts, text) => this.#log[level](facts, text),
    })
    this.#cluster = cluster
    await unlessAborted(cluster.readyOnce, stopping)
    this.#readyMs = now()
  }

  async close(): Promise<void> {
    await this.#cluster?.close()
    const normalizer = this.#loading?.then((loaded) => loaded.close())
    await Promise.allSettled([normalizer, this.#processing?.formats.close()])
  }
}

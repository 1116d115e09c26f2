import { randomInt } from 'node:crypto'
import { ServiceError } from '../../shared/api/errors.ts'
import { after } from '../../shared/async/timer.ts'
import { unlessAborted } from '../../shared/async/unless-aborted.ts'
import type { Log } from '../../shared/node/log/log.ts'
import type { BackendConfig } from '../config.ts'
import { createDescriber, type Describer } from '../describe.ts'
import type { Inference } from '../inference/supervisor.ts'
import { createProcessor } from '../processor/create-processor.ts'
import type { Processor } from '../processor/processor.ts'
import { WarmUp } from '../warm-up/warm-up.ts'
import { loadFrom, now, startProcessing, workerThreads, type Processing } from './processing.ts'
import type { Serving } from './serving.ts'

/** The range of crypto.randomInt: 48 bits. */
const randomSeed = () => randomInt(2 ** 48 - 1)

/** The engine of this server, in a process of its own, which is loading the model. */
export class OwnEngine implements Serving {
  readonly engines = undefined
  readonly contextTokens = undefined
  readonly #config: BackendConfig
  readonly #log: Log
  readonly #inference: Inference
  readonly #reasons: boolean
  #processing: Processing | undefined
  #loading: Promise<Processor> | undefined
  #service: { readonly describer: Describer; readonly warmUp: WarmUp } | undefined

  /** @param reasons whether the model thinks before it answers */
  constructor(config: BackendConfig, inference: Inference, reasons: boolean, log: Log) {
    this.#config = config
    this.#reasons = reasons
    this.#log = log
    this.#inference = inference
    // At the first start there is more to wait for.
    inference.onReady(() => void this.#service?.warmUp.begin())
  }

  describer(): Describer {
    if (this.#service !== undefined) return this.#service.describer
    throw new ServiceError('model_loading', 'The model is still loading')
  }

  readiness(): ReturnType<Serving['readiness']> {
    switch (this.#inference.state()) {
      case 'ready':
        return this.isProven() ? 'ready' : 'model_loading'
      case 'loading':
      case 'failed':
        return 'model_loading'
      case 'restarting':
        return 'engine_restarting'
      case 'stopped':
        return 'shutting_down'
    }
  }

  isLoaded(): boolean {
    return this.#service !== undefined && this.#inference.state() === 'ready'
  }

  isProven(): boolean {
    return this.isLoaded() && this.#service?.warmUp.passed === true
  }

  startUp(): ReturnType<Serving['startUp']> {
    return this.#inference.startUp()
  }

  snapshot(): ReturnType<Serving['snapshot']> {
    return this.#inference.snapshot()
  }

  memory(): ReturnType<Serving['memory']> {
    return this.#inference.memory()
  }

  enginePid(): number | undefined {
    return this.#inference.pid()
  }

  decodePids(): readonly number[] {
    return this.#processing?.tasks.imagePids ?? []
  }

  workerThreads(): number {
    return this.#processing === undefined ? 0 : workerThreads(this.#processing)
  }

  async start(stopping: AbortSignal): Promise<void> {
    const { checkpointDir: modelFolder } = this.#config.model
    const processing = startProcessing(this.#config)
    const { tasks, formats } = processing
    this.#processing = processing
    this.#loading = loadFrom(modelFolder, () => createProcessor({ modelFolder, tasks }))
    const [processor] = await Promise.all([this.#loading, this.#inference.ready()])
    const { defaultMaxTokens } = this.#config
    const engine = this.#inference
    const describer = createDescriber({
      processor,
      formats,
      engine,
      now,
      randomSeed,
      defaultMaxTokens,
      reasons: this.#reasons,
    })
    const onFailure = ({ message: detail }: Error) =>
      this.#log.error({ detail }, 'test generation failed')
    const warmUp = new WarmUp({ describe: describer.describe, after, onFailure })
    this.#service = { describer, warmUp }
    void warmUp.begin()
    await unlessAborted(warmUp.passedOnce, stopping)
  }

  async close(): Promise<void> {
    this.#service?.warmUp.stop()
    const processor = this.#loading?.then((loaded) => loaded.close())
    const formats = this.#processing?.formats.close()
    await Promise.allSettled([this.#inference.close(), processor, formats])
  }
}

import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { makeFolder } from '../../shared/node/files/make-folder.ts'
import type { Environment } from '../../shared/node/settings/dot-env.ts'
import { openFilesLimit } from '../../shared/node/process/open-files.ts'
import { buildWorker } from '../build/worker.ts'
import { programs } from '../support/programs.ts'
import { checkOpenFiles } from './check-open-files.ts'
import { explainFileProblem } from './state/file-problem.ts'
import { isLoopback } from './hosts.ts'
import { prepare } from './prepare.ts'
import { Program, type ProgramOptions } from './program.ts'
import { proveReadiness, waitForBackend } from './readiness.ts'
import { parseStartSettings, type StartSettings } from './settings.ts'
import { StartError } from './start-error.ts'
import { lockState, type StateLock } from './state/state-lock.ts'
import { checkTemporaryFolder } from './state/temporary-folder.ts'
import { checkWorkerDatabases } from './state/worker-databases.ts'

interface LauncherParts {
  readonly environment: Environment
  readonly print: (line: string) => void
}

/** Milliseconds without output after which a line says what the launcher is waiting for. */
const silenceMs = 10_000

/** What the first user needs to know about the running product. */
export interface ReadyProduct {
  readonly url: string
  readonly backendUrl: string
  readonly apiKeyFile: string
  readonly logsDir: string
  /** True when clients on other machines can reach it, without TLS. */
  readonly isOpen: boolean
}

/** Milliseconds before an ended backend is restarted: one that cannot run must not keep a core busy by trying. */
const backendRestartMs = 1_000

type RunOptions = Omit<ProgramOptions, 'print'>

/**
 * Starts the programs of the product, watches them and ends them. Once the product is up, a backend that ends is
 * restarted while the edge answers 503; without an edge there is no point in continuing.
 */
export class Launcher {
  readonly #parts: LauncherParts
  readonly #programs = new Set<Program>()
  #isUp = false
  /** Settles when nothing is being bundled. Also keeps a failure that nobody awaits yet from counting as unhandled. */
  #bundled: Promise<unknown> = Promise.resolve()
  #lock: StateLock | undefined
  #printedAt = performance.now()
  readonly #stopping = new AbortController()
  #fail: (reason: StartError) => void = () => undefined

  /** Rejects when the edge ends without having been asked to, or when the backend ends before the product is up. */
  readonly failed: Promise<never>

  constructor(parts: LauncherParts) {
    this.#parts = parts
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject
    })
  }

  /**
   * Starts everything; independent steps run side by side.
   * @throws {StartError | ConfigError} when the product cannot start
   */
  async start(): Promise<ReadyProduct> {
    const settings = parseStartSettings(this.#parts.environment)
    checkOpenFiles(openFilesLimit(), settings)
    try {
      return await this.#startWith(settings)
    } catch (error) {
      throw explainFileProblem(error, settings.stateDir)
    }
  }

  async #startWith(settings: StartSettings): Promise<ReadyProduct> {
    makeFolder(settings.stateDir)
    this.#lock = await lockState(settings.stateDir)
    if (settings.edgeKind === 'worker') {
      checkWorkerDatabases(settings.stateDir)
      await checkTemporaryFolder()
    }
    const { signal } = this.#stopping
    const bundle = settings.edgeKind === 'worker' ? buildWorker(signal) : undefined
    this.#bundled = Promise.allSettled([bundle])

    const { edge, backend, certificates, apiKey, apiKeyFile, logsDir } = await prepare(settings)
    const run = (name: string, script: string, changes: Environment) => {
      const logFile = join(logsDir, `${name}.log`)
      const { logLevel, drainMs } = settings
      const own = { ...changes, DRAIN_TIMEOUT_MS: String(drainMs) }
      this.#run({ name, script, logFile, logLevel, drainMs, environment: own })
    }
    run('backend', programs.backend, { BACKEND_PORT: String(backend.port), API_KEY: undefined })
    run('edge', bundle === undefined ? programs.nodeEdge : programs.workerEdge, {
      API_KEY: apiKey,
      BACKEND_URL: backend.url,
      PORT: String(edge.port),
      WORKER_BUNDLE: await bundle,
    })
    await waitForBackend(backend.url, certificates, signal, (state) => this.#tellWait(state))
    await proveReadiness(edge.url, apiKey, signal)
    await this.#lock.publish(edge.url)
    this.#isUp = true
    const isOpen = !isLoopback(settings.edge.host)
    return { url: edge.url, backendUrl: backend.url, apiKeyFile, logsDir, isOpen }
  }

  /** @param options `environment` holds only what differs from the launcher's own */
  #run(options: RunOptions): void {
    this.#stopping.signal.throwIfAborted()
    const { environment } = this.#parts
    const program = new Program({
      ...options,
      environment: { ...environment, ...options.environment },
      print: (line) => this.#print(line),
    })
    this.#programs.add(program)
    void this.#watch(program, options)
  }

  #print(line: string): void {
    this.#printedAt = performance.now()
    this.#parts.print(line)
  }

  #tellWait(state: string): void {
    if (performance.now() - this.#printedAt < silenceMs) return
    this.#print(`Waiting for the backend: ${state}`)
  }

  async #watch(program: Program, options: RunOptions): Promise<void> {
    const how = await program.ended
    const { signal } = this.#stopping
    if (signal.aborted) return
    const report = `The ${program.name} ended (${how}); its log is ${program.logFile}`
    if (program.name !== 'backend' || !this.#isUp) return this.#fail(new StartError(report))
    this.#print(`${report}. Restarting it`)
    this.#programs.delete(program)
    await program.stop()
    await delay(backendRestartMs, undefined, { signal }).catch(() => undefined)
    if (!signal.aborted) this.#run(options)
  }

  /** Ends all programs, by force if they take too long. Nothing can be started afterwards. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all([this.#bundled, ...[...this.#programs].map((program) => program.stop())])
    await this.#lock?.release()
  }
}

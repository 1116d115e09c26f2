import { join } from 'node:path'
import type { Environment } from '../../shared/node/dot-env.ts'
import { prepare } from './prepare.ts'
import { Program, type ProgramOptions } from './program.ts'
import { proveReadiness, waitForBackend } from './readiness.ts'
import { parseStartSettings } from './settings.ts'
import { StartError } from './start-error.ts'

/** Bundled entry files of the programs. */
interface ProgramScripts {
  readonly backend: string
  readonly nodeEdge: string
  readonly workerEdge: string
}

interface LauncherParts {
  readonly environment: Environment
  readonly scripts: ProgramScripts
  /** Bundles the Worker where needed. @returns path of the bundle */
  readonly buildWorker: () => Promise<string>
  readonly print: (line: string) => void
}

/** The running product, as its first user needs to know it. */
export interface ReadyProduct {
  readonly url: string
  readonly backendUrl: string
  readonly apiKeyFile: string
}

/** Starts the programs of the product, watches them and ends them. */
export class Launcher {
  readonly #parts: LauncherParts
  readonly #programs: Program[] = []
  readonly #stopping = new AbortController()
  #fail: (reason: StartError) => void = () => undefined

  /** Rejects when a program ends though nobody asked it to. */
  readonly failed: Promise<never>

  constructor(parts: LauncherParts) {
    this.#parts = parts
    this.failed = new Promise((_resolve, reject) => {
      this.#fail = reject
    })
  }

  /**
   * Starts everything; what does not depend on each other runs side by side.
   * @throws {StartError | ConfigError} when the product cannot start
   */
  async start(): Promise<ReadyProduct> {
    const { environment, scripts, buildWorker } = this.#parts
    const settings = parseStartSettings(environment)
    const bundle = settings.edgeKind === 'worker' ? buildWorker() : undefined
    // Awaited later; a failure before that must not end the process from the side.
    bundle?.catch(() => undefined)

    const { edge, backend, certificates, apiKey, apiKeyFile, logsDir } = await prepare(settings)
    const run = (name: string, script: string, changes: Environment) => {
      const logFile = join(logsDir, `${name}.log`)
      this.#run({ name, script, logFile, logLevel: settings.logLevel, environment: changes })
    }
    run('backend', scripts.backend, { BACKEND_PORT: String(backend.port), API_KEY: undefined })
    run('edge', bundle === undefined ? scripts.nodeEdge : scripts.workerEdge, {
      API_KEY: apiKey,
      BACKEND_URL: backend.url,
      PORT: String(edge.port),
      WORKER_BUNDLE: await bundle,
    })
    const { signal } = this.#stopping
    await waitForBackend(backend.url, certificates, signal)
    await proveReadiness(edge.url, apiKey, signal)
    return { url: edge.url, backendUrl: backend.url, apiKeyFile }
  }

  /** @param options `environment` holds what differs from the launcher's own */
  #run(options: Omit<ProgramOptions, 'print'>): void {
    this.#stopping.signal.throwIfAborted()
    const { environment, print } = this.#parts
    const program = new Program({
      ...options,
      environment: { ...environment, ...options.environment },
      print,
    })
    this.#programs.push(program)
    void this.#watch(program)
  }

  async #watch(program: Program): Promise<void> {
    const how = await program.ended
    if (this.#stopping.signal.aborted) return
    this.#fail(new StartError(`The ${program.name} ended (${how}); its log is ${program.logFile}`))
  }

  /** Ends all programs, by force where they take too long. Nothing can be started afterwards. */
  async stop(): Promise<void> {
    this.#stopping.abort()
    await Promise.all(this.#programs.map((program) => program.stop()))
  }
}

import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { ensureApiKey } from './api-key.ts'
import { ensureCertificates } from './certificates.ts'
import { findFreePorts } from './port.ts'
import { Program, type ProgramOptions } from './program.ts'
import { proveReadiness, waitForBackend } from './readiness.ts'
import { serverNames, urlHost } from './hosts.ts'
import { parseStartSettings, type Environment } from './settings.ts'
import { StartError } from './start-error.ts'

/** Bundled entry files of the programs. */
export interface ProgramScripts {
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

/** Name of the edge's client certificate; the backend lets it in by default. */
const clientName = 'edge'

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
    const { stateDir, backend, edge, ...settings } = parseStartSettings(this.#parts.environment)
    const bundle = settings.edgeKind === 'worker' ? this.#parts.buildWorker() : undefined
    // Awaited later; a failure before that must not end the process from the side.
    bundle?.catch(() => undefined)

    const [port, backendPort] = await findFreePorts([
      { ...edge, setting: 'PORT' },
      { ...backend, setting: 'BACKEND_PORT' },
    ])
    await mkdir(join(stateDir, 'logs'), { recursive: true })
    const apiKeyFile = join(stateDir, 'api-key')
    const [certificates, apiKey] = await Promise.all([
      ensureCertificates(
        join(stateDir, 'certs'),
        { server: serverNames(backend.host), client: clientName },
        Date.now(),
      ),
      ensureApiKey(apiKeyFile, settings.presetApiKey),
    ])

    const url = `http://${urlHost(edge.host)}:${port}`
    const backendUrl = `https://${urlHost(backend.host)}:${backendPort}`
    const run = (name: string, script: string, changes: Environment) => {
      const logFile = join(stateDir, 'logs', `${name}.log`)
      this.#run({ name, script, logFile, logLevel: settings.logLevel, environment: changes })
    }
    const { scripts } = this.#parts
    run('backend', scripts.backend, { BACKEND_PORT: String(backendPort), API_KEY: undefined })
    run('edge', bundle === undefined ? scripts.nodeEdge : scripts.workerEdge, {
      API_KEY: apiKey,
      BACKEND_URL: backendUrl,
      PORT: String(port),
      WORKER_BUNDLE: await bundle,
    })
    const { signal } = this.#stopping
    await waitForBackend(backendUrl, certificates, signal)
    await proveReadiness(url, apiKey, signal)
    return { url, backendUrl, apiKeyFile }
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

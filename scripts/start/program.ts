import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as delay } from 'node:timers/promises'
import type { LogLevel } from '../../shared/log/log-levels.ts'
import { LogFile } from './log/log-file.ts'
import { killGroup } from '../support/kill-group.ts'
import { isWanted, readLogLine } from './log/log-line.ts'

/** Milliseconds a program may take to exit once the time for its answers is over. */
const endMs = 1_500

export interface ProgramOptions {
  readonly name: string
  /** Entry file. */
  readonly script: string
  readonly environment: Readonly<Record<string, string | undefined>>
  /** Complete lines are appended here; the terminal gets a short form. */
  readonly logFile: string
  /** Milliseconds it gives answers to finish when it is asked to end. */
  readonly drainMs: number
  /** Less important lines are dropped. */
  readonly logLevel: LogLevel
  readonly print: (line: string) => void
}

/**
 * One running program of the product. It leads its own process group, so Ctrl-C reaches only the launcher, which then
 * ends all programs in order, and everything the program started can be ended with it. Its IPC channel closes when the
 * launcher dies for any reason, which makes it end.
 */
export class Program {
  readonly name: string
  readonly logFile: string
  /** Resolves with how the program ended: `exit code 1`, `signal SIGKILL`. */
  readonly ended: Promise<string>
  readonly #child: ChildProcess
  readonly #drainMs: number
  readonly #log: LogFile

  constructor(options: ProgramOptions) {
    const { name, script, environment, logFile, drainMs, logLevel, print } = options
    this.name = name
    this.#drainMs = drainMs
    this.logFile = logFile
    this.#log = new LogFile(logFile)
    this.#child = fork(script, [], {
      env: environment,
      detached: true,
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    })
    for (const input of [this.#child.stdout, this.#child.stderr]) {
      if (input === null) continue
      createInterface({ input }).on('line', (line) => {
        const entry = readLogLine(name, line, new Date())
        if (!isWanted(entry.level, logLevel)) return
        this.#log.write(`${entry.whole}\n`)
        if (isWanted(entry.shownFrom, logLevel)) print(entry.brief)
      })
    }
    this.ended = this.#waitForEnd()
  }

  async #waitForEnd(): Promise<string> {
    const [code, signal] = (await once(this.#child, 'exit')) as [number | null, string | null]
    killGroup(this.#child.pid)
    return signal === null ? `exit code ${code}` : `signal ${signal}`
  }

  /** Asks the program to end; if it takes too long, kills it and everything it started. */
  async stop(): Promise<void> {
    this.#child.kill('SIGTERM')
    const timeout = new AbortController()
    await Promise.race([
      this.ended,
      delay(this.#drainMs + endMs, undefined, { signal: timeout.signal }).catch(() => undefined),
    ])
    timeout.abort()
    killGroup(this.#child.pid)
    await this.ended
    await this.#log.close()
  }
}

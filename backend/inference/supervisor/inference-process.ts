import type { ChildProcess } from 'node:child_process'
import type { Readable } from 'node:stream'
import { loadingPipe, readLoadingLines } from '../../model/loading/loading-line.ts'
import { childGone } from './child-gone.ts'
import { forkChild } from './fork-child.ts'
import { workOf } from './process-work.ts'
import type { InferenceInit, ToChild, ToParent } from '../protocol.ts'
import { tickMs, Watchdog, type SilenceLimits } from '../watchdog.ts'

interface InferenceProcessOptions {
  /** Path of the child program. */
  readonly entry: string
  readonly init: InferenceInit
  readonly environment: Readonly<Record<string, string | undefined>>
  readonly limits: SilenceLimits
  /** Milliseconds of a monotonic clock. */
  readonly now: () => number
  readonly onMessage: (message: ToParent) => void
  /** Called when the process shows no sign of life and is being killed; no message follows. */
  readonly onHung: () => void
}

/** One run of the inference program, from its start to its end, either its own or by SIGKILL once it hangs. */
export class InferenceProcess {
  /** Resolves with how it ended, for people, when nothing more arrives from it. */
  readonly gone: Promise<string>
  readonly #child: ChildProcess
  readonly #options: InferenceProcessOptions
  readonly #watchdog: Watchdog
  readonly #timer: NodeJS.Timeout
  #hungReason: string | undefined

  constructor(options: InferenceProcessOptions) {
    const { entry, environment, init, limits, now } = options
    this.#options = options
    this.#watchdog = new Watchdog(now(), limits)
    this.#child = forkChild(entry, environment)
    this.#child.on('message', (message: ToParent) => this.#receive(message))
    readLoadingLines(this.#child.stdio[loadingPipe] as Readable, (line) =>
      this.#receive({ type: 'loading', ...line }),
    )
    this.#timer = setInterval(() => this.#look(), tickMs)
    this.gone = childGone(this.#child).then((ending) => {
      clearInterval(this.#timer)
      return this.#hungReason ?? `The inference process ended (${ending})`
    })
    this.send({ type: 'init', init })
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  /** Sends nothing to a process that is gone; its end is handled when it is noticed. */
  send(message: ToChild): void {
    this.#child.send(message, () => {})
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #receive(message: ToParent): void {
    if (this.#hungReason !== undefined) return
    this.#watchdog.heard(message)
    this.#options.onMessage(message)
  }

  #look(): void {
    const work = this.pid === undefined ? undefined : workOf(this.pid)
    const silentMs = this.#watchdog.tick(this.#options.now(), work)
    if (silentMs === undefined) {
      if (this.#watchdog.answersPings) this.send({ type: 'ping' })
      return
    }
    clearInterval(this.#timer)
    this.#hungReason = `The inference process hangs: it gave no sign of life for ${Math.round(silentMs)} ms`
    this.kill()
    this.#options.onHung()
  }
}

import { fork, type ChildProcess } from 'node:child_process'
import type { Writable } from 'node:stream'
import { compileCacheEnvironment } from '../../../shared/node/compile-cache.mjs'
import type { ImageOutcomes } from '../tasks/processor-tasks.ts'
import { lowerPriority } from './lower-priority.ts'

interface ImageProcessesOptions {
  /** Path of image-process.ts. */
  readonly entry: string
  readonly modelFolder: string
  /** Milliseconds a process stays after its last image, except for one that is always ready. */
  readonly idleMs: number
  /** Milliseconds after which decoding gives precedence to everything else; see `lowersAfterMs`. */
  readonly lowersAfterMs: (estimatedMs: number) => number
}

export type ImageTask = keyof ImageOutcomes

/** What is to be done. */
export interface ImageOrder<Task extends ImageTask = ImageTask> {
  readonly task: Task
  readonly file: Uint8Array
  readonly mostTokens?: number | undefined
}

/** An order as a process gets it; the file itself follows through a pipe of its own. */
export type SentOrder = Omit<ImageOrder, 'file'> & { readonly fileBytes: number }

/** File descriptor of that pipe in the process. */
export const filePipe = 4

/** Processes that each decode one image at a time. The caller bounds their number: each `run` takes one. */
export interface ImageProcesses {
  /**
   * Decodes one file. Aborting kills the process that works on it, because a decoder inside a native call, and the
   * thread it runs in, cannot be stopped otherwise. The next image uses another process.
   * @param estimatedMs what it is expected to take
   * @throws {Error} when the process ended by itself, and the signal's reason when it was killed
   */
  run<Task extends ImageTask>(
    order: ImageOrder<Task>,
    estimatedMs: number,
    signal: AbortSignal,
  ): Promise<ImageOutcomes[Task]>
  /** Process ids. */
  readonly pids: readonly number[]
  close(): void
}

export function createImageProcesses(options: ImageProcessesOptions): ImageProcesses {
  const children = new Set<ChildProcess>()
  /** The process that became idle last is used first. */
  const idle = new Map<ChildProcess, NodeJS.Timeout>()

  function start(): ChildProcess {
    // What decodes strangers' files needs nothing else from our environment.
    const child = fork(options.entry, [options.modelFolder], {
      env: compileCacheEnvironment(),
      serialization: 'advanced',
      stdio: ['inherit', 'inherit', 'inherit', 'ipc', 'pipe'],
    })
    children.add(child)
    // A process that is gone reports that by its exit.
    pipeTo(child)?.on('error', () => {})
    child.once('exit', () => forget(child))
    // Emitted instead of an exit when the process could not be started.
    child.on('error', () => end(child))
    return child
  }

  function forget(child: ChildProcess): void {
    children.delete(child)
    clearTimeout(idle.get(child))
    idle.delete(child)
  }

  function end(child: ChildProcess): void {
    forget(child)
    child.kill('SIGKILL')
  }

  function takeIdle(): ChildProcess | undefined {
    const child = [...idle.keys()].at(-1)
    if (child === undefined) return undefined
    clearTimeout(idle.get(child))
    idle.delete(child)
    return child
  }

  function rest(child: ChildProcess): void {
    const endIfSpare = () => {
      if (idle.size > 1) end(child)
    }
    if (children.has(child)) idle.set(child, setTimeout(endIfSpare, options.idleMs).unref())
  }

  rest(start())

  return {
    async run(order, estimatedMs, signal) {
      signal.throwIfAborted()
      const lowersAfterMs = options.lowersAfterMs(estimatedMs)
      // One that is known to take long starts a process instead of taking the one that is ready for short ones.
      const child = (lowersAfterMs > 0 ? takeIdle() : undefined) ?? start()
      const lowering = lowerAfter(lowersAfterMs, child)
      try {
        // Starting takes 150 ms on an idle CPU and seconds on a busy one, which the next image should not have to
        // wait for.
        if (idle.size === 0) rest(start())
        const outcome = await ask(child, order, signal)
        // A lowered priority cannot be raised again.
        if (lowering.isDone) end(child)
        else rest(child)
        return outcome
      } catch (cause) {
        end(child)
        throw cause
      } finally {
        lowering.stop()
      }
    },
    get pids() {
      return [...children].flatMap(({ pid }) => (pid === undefined ? [] : [pid]))
    },
    close() {
      for (const child of children) end(child)
    },
  }
}

/** Lowers the priority of a process that takes long; with 0 ms at once, so that it already starts with it. */
function lowerAfter(ms: number, { pid }: ChildProcess) {
  let isDone = false
  const lower = () => {
    isDone = true
    if (pid !== undefined) lowerPriority(pid)
  }
  const timer = ms > 0 ? setTimeout(lower, ms) : undefined
  if (timer === undefined) lower()
  return {
    get isDone() {
      return isDone
    },
    stop: () => clearTimeout(timer),
  }
}

function ask<Task extends ImageTask>(
  child: ChildProcess,
  order: ImageOrder<Task>,
  signal: AbortSignal,
): Promise<ImageOutcomes[Task]> {
  return new Promise((resolve, reject) => {
    const done = (settle: () => void) => {
      child.off('message', onMessage).off('exit', onExit).off('error', onError)
      signal.removeEventListener('abort', onAbort)
      settle()
    }
    const onMessage = (outcome: ImageOutcomes[Task]) => done(() => resolve(outcome))
    const onExit = (code: number | null, killedBy: string | null) =>
      done(() => reject(new Error(`An image process ended: ${killedBy ?? `exit code ${code}`}`)))
    const onError = (cause: Error) => done(() => reject(cause))
    const onAbort = () => done(() => reject(signal.reason as Error))
    child.once('message', onMessage).once('exit', onExit).once('error', onError)
    signal.addEventListener('abort', onAbort, { once: true })
    send(child, order)
  })
}

/** As part of the message a large file would be copied three times in one turn of the event loop. */
function send(child: ChildProcess, { file, ...order }: ImageOrder): void {
  // It could not be started, or is about to exit, and reports either.
  if (!child.connected) return
  const sent: SentOrder = { ...order, fileBytes: file.length }
  // A process that is gone reports that by its exit.
  child.send(sent, () => {})
  pipeTo(child)?.write(file)
}

/** Undefined if the process could not be started. */
function pipeTo(child: ChildProcess): Writable | undefined {
  const { stdio } = child as { stdio?: ChildProcess['stdio'] }
  return (stdio?.[filePipe] ?? undefined) as Writable | undefined
}

import type { Report } from '../../../shared/progress/progress.ts'
import { freeMemory, readFreeMemory } from '../../memory/free-memory.ts'
import { checkMemory, memoryText } from '../../memory/memory-check.ts'
import { hostCacheTokens } from '../../memory/memory-parts.ts'
import type { TokenBytes } from '../../model/config/tokenizer-file.ts'
import type { FormNeeds } from '../../model/host-needs.ts'
import type { Model } from '../../model/model.ts'
import { JobServer } from './job-server.ts'
import type { InferenceInit, MemoryLimits, ToChild, ToParent } from '../protocol.ts'
import { errorText } from '../../../shared/log/error-text.ts'

/** Loads a model; `onProgress` gets texts for people, and numbers. Unfinished work is removed when `signal` aborts. */
type LoadModel = (
  options: InferenceInit['model'] & {
    onProgress: Report
    /** Throws when the model must not be loaded. */
    admit: (needs: FormNeeds) => void
    signal: AbortSignal
  },
) => Promise<Model>

/** Reads the texts of the model's tokens. */
type LoadTokens = (modelFolder: string) => Promise<TokenBytes>

/**
 * Makes this process an inference process: it loads on `init`, serves jobs, and ends on `close`, when its parent is
 * gone, or on an uncaught error. Terminal signals are left to the parent, which lets running answers finish first.
 * @param loadTokens without it no job may have a format
 */
export function runChild(load: LoadModel, loadTokens?: LoadTokens): void {
  let server: JobServer | undefined
  let loading: Promise<JobServer | undefined> = Promise.resolve(undefined)
  const closing = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
  process.on('disconnect', endNow)
  process.on('uncaughtException', (error) => fail(error.stack ?? error.message))
  process.on('message', (message: ToChild) => {
    switch (message.type) {
      case 'init':
        loading = serve({ load, loadTokens }, message.init, closing.signal)
        void loading.then((started) => (server = started))
        return
      case 'incoming':
        server?.expect(message.key)
        return
      case 'generate':
        void server?.generate(message.key, message.job)
        return
      case 'stop':
        server?.stopChoice(message.key, message.choice)
        return
      case 'cancel':
        server?.cancel(message.key)
        return
      case 'ping':
        answerPing(server)
        return
      case 'close':
        closing.abort()
        void loading.then((started) => started?.close()).then(() => process.exit(0))
        return
    }
  })
}

async function serve(
  { load, loadTokens }: { readonly load: LoadModel; readonly loadTokens: LoadTokens | undefined },
  init: InferenceInit,
  signal: AbortSignal,
): Promise<JobServer | undefined> {
  try {
    const onProgress: Report = (text, _passing, amount) => send({ type: 'progress', text, amount })
    const admit = (needs: FormNeeds) => requireMemory(needs, init)
    const model = await load({ ...init.model, onProgress, admit, signal })
    const tokens = await loadTokens?.(init.model.checkpointDir)
    return new JobServer({
      model,
      tokens,
      settings: init.engine,
      freeBytes: freeWhenLoaded(init.memory),
      send,
      onLost: fail,
    })
  } catch (error) {
    if (!signal.aborted) fail(errorText(error))
    return undefined
  }
}

/** Tells the parent whether the model fits. @throws {Error} when it does not: the kernel would kill this process, or another */
function requireMemory(needs: FormNeeds, { model, engine, memory }: InferenceInit): void {
  const { imageBytes: imageCacheBytes, ...caches } = engine.caches
  const kvTokens = hostCacheTokens(caches.kvTokens, model.card)
  const settings = { ...memory, slots: model.slots, kvTokens, imageCacheBytes }
  const check = checkMemory({ ...needs, settings, free: freeMemory(memory.limitBytes) })
  send({ type: 'memory', check })
  if (check.fits === false) throw new Error(memoryText(check))
}

/** Memory that caches may draw on now. */
function freeWhenLoaded({ limitBytes }: MemoryLimits): number {
  const free = readFreeMemory()?.bytes ?? process.availableMemory()
  if (limitBytes === undefined) return free
  return Math.max(0, Math.min(free, limitBytes - process.memoryUsage.rss()))
}

/** A process whose work is stuck can only end itself. */
function answerPing(server: JobServer | undefined): void {
  const problem = server?.answerPing()
  if (problem !== undefined) fail(problem)
}

/** Ends this process and reports the reason to its parent. */
function fail(text: string): void {
  send({ type: 'fatal', text }, endNow)
}

/** `process.exit` would wait for all threads, and processing an image may take half a minute. */
function endNow(): void {
  process.kill(process.pid, 'SIGKILL')
}

/** Does nothing when the parent is gone: `disconnect` ends this process in that case. */
function send(message: ToParent, sent: () => void = () => {}): void {
  process.send?.(message, undefined, undefined, sent)
}

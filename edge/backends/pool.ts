import { ServiceError } from '../../shared/api/errors.ts'
import { isEventStream } from '../../shared/api/wire/media-type.ts'
import { chooseServer } from '../../shared/balance/choose.ts'
import { Backend, type BackendParts } from './backend.ts'
import type {
  BackendAnswer,
  BackendInit,
  BackendReply,
  CallBackend,
  StreamEnd,
} from './exchange.ts'
import { readWhole } from './read-whole.ts'
import { NotConnectedError, type BackendTarget } from './target.ts'
import { checkConnected, wasTurnedAway } from './verdict.ts'

/** How often one request is offered to backends. More would only delay the answer that none is available. */
const maxAttempts = 3

/**
 * Tokens of an image for a model that is not known yet: the most that any of the models makes of one. A limit of 16,384
 * patches (docs/models.md) is 4,096 tokens, and holds before the image is padded to whole tokens, so that long thin ones
 * become up to 4,464.
 */
const mostImageTokens = 4_464

interface PoolParts extends BackendParts {
  readonly targets: readonly BackendTarget[]
  /** From 0 up to 1. */
  readonly random: () => number
}

/**
 * The backends behind one edge: chooses one for each request, moves requests away from failing ones and lets
 * recovered ones grow into their load. Holds only numbers, so that a Worker's requests can share it. It has no
 * timers: requests trigger the probes.
 */
export class BackendPool {
  readonly #backends: readonly Backend[]
  readonly #parts: PoolParts

  constructor(parts: PoolParts) {
    this.#parts = parts
    this.#backends = parts.targets.map((target) => new Backend(target, parts))
  }

  /**
   * Sends to the most suitable backend. It is offered again only if the body can be sent again and nothing can run twice:
   * either there was no connection, or the backend reported that it refused the request. One of several that was only slow
   * to connect may be asked again, unless another one is better: it may be all that is left while others are restarted.
   */
  readonly call: CallBackend = async (path, init) => {
    this.#probe(init.background)
    const refused: Backend[] = []
    for (let attempts = 1; ; attempts += 1) {
      const backend = this.#choose(init.affinity, refused)
      if (init.forAll === true && attempts === 1) this.#copyToOthers(backend, path, init)
      const mayRepeat = isReplayable(init) && attempts < maxAttempts
      const hasOthers = refused.length + 1 < this.#backends.length
      const outcome = await this.#attempt(backend, path, init, mayRepeat && hasOthers)
      if (outcome === 'refused') {
        refused.push(backend)
        continue
      }
      if (!(outcome instanceof NotConnectedError)) return outcome
      // A single backend that is slow to connect is not worth another attempt: the client may retry.
      const isBusy = outcome.isSlow && this.#backends.length > 1 && backend.isAlive
      if (!mayRepeat || !(isBusy || hasOthers)) throw outcome
      if (!isBusy) refused.push(backend)
    }
  }

  /** The most tokens that an image takes on any of the backends. */
  readonly imageTokens = (): number =>
    Math.max(...this.#backends.map((backend) => backend.imageTokens ?? mostImageTokens))

  /** Sends a copy to the other backends. A failure does not matter: an unreachable backend has lost its calls anyway. */
  #copyToOthers(except: Backend, path: string, init: BackendInit): void {
    for (const backend of this.#backends) {
      if (backend === except) continue
      const sent = backend.target.send(path, init).then(
        (answer) => answer.arrayBuffer(),
        () => undefined,
      )
      init.background?.(sent.catch(() => undefined))
    }
  }

  #choose(affinity: string | undefined, refused: readonly Backend[]): Backend {
    const candidates = this.#backends
      .filter((backend) => !refused.includes(backend))
      .map((backend) => backend.candidate())
    const chosen = chooseServer(candidates, affinity, this.#parts.random())
    if (chosen === undefined) throw new TypeError('A pool needs a backend')
    return chosen.backend
  }

  /** @param hasOthers whether a refusal is of no interest, because another backend may be asked */
  async #attempt(
    backend: Backend,
    path: string,
    init: BackendInit,
    hasOthers: boolean,
  ): Promise<BackendReply | NotConnectedError | 'refused'> {
    const release = backend.take()
    try {
      const response = await backend.target.send(path, init)
      checkConnected(response)
      return isEventStream(response.headers.get('content-type'))
        ? streamedReply(backend, response, init, release)
        : await wholeReply(backend, response, init, release, hasOthers)
    } catch (error) {
      release()
      if (isBlameless(init) || error instanceof ServiceError) throw error
      if (error instanceof NotConnectedError) {
        backend.noteFailure(error.isSlow ? 'silent' : 'unreachable')
        return error
      }
      // A backend may answer early and close, so one broken upload proves nothing.
      backend.noteFailure(isReplayable(init) ? 'unreachable' : 'fault')
      throw error
    }
  }

  /** Probes the backends that are due. With a single one there is nothing to choose and nothing to probe. */
  #probe(background: BackendInit['background']): void {
    if (this.#backends.length < 2) return
    for (const backend of this.#backends.filter(({ isDueForProbe }) => isDueForProbe)) {
      const probe = backend.probe()
      background?.(probe)
    }
  }
}

/** A stream occupies its backend until it ends. */
function streamedReply(
  backend: Backend,
  response: BackendAnswer,
  // Excludes the body, which would otherwise be held until the stream ends.
  { signal, bodyFailure }: BackendInit,
  release: () => void,
): BackendReply {
  backend.noteAnswer(response)
  const ended = (how: StreamEnd) => {
    release()
    if (how === 'broken' && !isBlameless({ signal, bodyFailure }))
      backend.noteFailure('unreachable')
  }
  return { answer: response, backendId: backend.target.id, ended }
}

/** Read completely, so that a truncated answer can still become an error with a status. */
async function wholeReply(
  backend: Backend,
  response: BackendAnswer,
  init: BackendInit,
  release: () => void,
  hasOthers: boolean,
): Promise<BackendReply | 'refused'> {
  const { body, held } = await readWhole(response, init)
  release()
  if (!isBlameless(init)) backend.noteAnswer(response)
  if (hasOthers && wasTurnedAway(response, body)) {
    held?.release()
    return 'refused'
  }
  const { status, headers } = response
  const answer = { status, headers, body: null, arrayBuffer: async () => body }
  return { answer, backendId: backend.target.id, ended: () => held?.release() }
}

/** Whether the backend is not to blame: the call was ended from here, or the body broke at the client's end. */
function isBlameless({
  signal,
  bodyFailure,
}: Pick<BackendInit, 'signal' | 'bodyFailure'>): boolean {
  return signal.aborted || bodyFailure?.() !== undefined
}

function isReplayable({ body }: BackendInit): boolean {
  return (
    body === undefined ||
    typeof body === 'string' ||
    body instanceof Uint8Array ||
    Array.isArray(body)
  )
}

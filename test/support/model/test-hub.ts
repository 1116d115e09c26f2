import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** How an exchange deviates from a normal one. */
export interface Fault {
  readonly status?: number
  readonly headers?: Readonly<Record<string, string>>
  /** The connection breaks after this many bytes of the body. */
  readonly cutAfter?: number
  /** Nothing more comes after this many bytes of the body, and the connection stays open; -1: not even an answer. */
  readonly silentAfter?: number
  /** The whole answer in place of the right one. */
  readonly text?: string
  /** What the answer says of the part that it is. */
  readonly contentRange?: string
  /** The answer has this many bytes fewer than were asked for, or more, and calls that the part. */
  readonly missing?: number
}

interface Seen {
  readonly server: 'hub' | 'storage'
  readonly path: string
  readonly authorization: string | undefined
  readonly range: string | undefined
}

/** A model on the hub: its commit, and files by name. */
interface TestModel {
  commit: string
  files: ReadonlyMap<string, Uint8Array>
  /** What the hub says about its configuration. */
  config?: object
}

/** Files larger than this many bytes are kept in the storage, under their SHA-256. */
const largeBytes = 50_000

/**
 * Stands in for the hub over real HTTP: names, trees and small files at one address, large files at another, to which
 * downloads are redirected. `fault` decides how exchanges fail.
 */
export class TestHub {
  readonly seen: Seen[] = []
  readonly models = new Map<string, TestModel>()
  fault: (request: Seen) => Fault | undefined = () => undefined
  /** Whether the storage supports ranges. */
  ranged = true
  /** Bytes for a name in place of the right ones. */
  readonly swapped = new Map<string, Uint8Array>()
  /** Sizes reported by the hub in place of the real ones. */
  readonly claimedBytes = new Map<string, number>()
  /** Milliseconds between two writes of 64 kB. */
  pauseMs = 0
  readonly #hub: Server
  readonly #storage: Server

  private constructor() {
    this.#hub = createServer((request, response) => this.#answer('hub', request, response))
    this.#storage = createServer((request, response) => this.#answer('storage', request, response))
  }

  static async start(): Promise<TestHub> {
    const hub = new TestHub()
    for (const server of [hub.#hub, hub.#storage]) {
      server.listen(0, '127.0.0.1')
      await once(server, 'listening')
    }
    return hub
  }

  get endpoint(): string {
    return addressOf(this.#hub)
  }

  async close(): Promise<void> {
    for (const server of [this.#hub, this.#storage]) {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }

  #answer(server: Seen['server'], request: IncomingMessage, response: ServerResponse): void {
    const path = decodeURIComponent(new URL(request.url!, 'http://hub').pathname)
    const { authorization, range } = request.headers
    const seen = { server, path, authorization, range }
    this.seen.push(seen)
    const fault = this.fault(seen)
    if (fault?.silentAfter === -1) return
    if (fault?.status !== undefined) {
      response.writeHead(fault.status, fault.headers).end(fault.text ?? 'no')
      return
    }
    const api = /^\/api\/models\/([^/]+\/[^/]+)\/(revision|tree)\/(.+)$/.exec(path)
    const file = /^\/([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path)
    if (server === 'storage') this.#sendStored(path.slice(1), request, response, fault)
    else if (api !== null) this.#sendApi(api, response)
    else if (file !== null) this.#sendFile(file, request, response, fault)
    else response.writeHead(404).end()
  }

  #sendApi([, repo, kind, revision]: RegExpExecArray, response: ServerResponse): void {
    const model = this.models.get(repo!)
    if (model === undefined) return void response.writeHead(401).end('Repository not found')
    if (!['main', model.commit].includes(revision!)) return void response.writeHead(404).end()
    const { commit: sha, config } = model
    const info = { _id: '1', id: repo, sha, config, private: false, lastModified: 0 }
    const body = kind === 'revision' ? info : [...model.files].map((file) => this.#entryOf(file))
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  }

  #entryOf([path, bytes]: [string, Uint8Array]) {
    const blob = createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex')
    const size = this.claimedBytes.get(path) ?? bytes.length
    const lfs = { oid: sha256(bytes), size, pointerSize: 134 }
    const large = bytes.length > largeBytes
    return { type: 'file', path, size, oid: blob, ...(large && { lfs }) }
  }

  #sendFile(
    [, repo, commit, name]: RegExpExecArray,
    request: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
  ): void {
    const model = this.models.get(repo!)
    const bytes = model?.commit === commit ? model?.files.get(name!) : undefined
    if (bytes === undefined) return void response.writeHead(404).end()
    if (bytes.length > largeBytes) {
      const location = `${addressOf(this.#storage)}/${name}?signed=${sha256(bytes)}`
      response.writeHead(302, { location }).end()
      return
    }
    void this.#send(this.swapped.get(name!) ?? bytes, request, response, fault)
  }

  #sendStored(
    name: string,
    request: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
  ): void {
    const bytes = [...this.models.values()].map(({ files }) => files.get(name)).find(Boolean)
    if (bytes === undefined) return void response.writeHead(404).end()
    void this.#send(this.swapped.get(name) ?? bytes, request, response, fault)
  }

  async #send(
    bytes: Uint8Array,
    { headers }: IncomingMessage,
    response: ServerResponse,
    fault: Fault | undefined,
  ): Promise<void> {
    const etag = `"${sha256(bytes)}"`
    const range = /^bytes=(\d+)-(\d+)$/.exec(headers.range ?? '')
    const fits = headers['if-range'] === undefined || headers['if-range'] === etag
    const asked = this.ranged && fits && range !== null
    const [from, to] = asked ? [Number(range[1]), Number(range[2]) + 1] : [0, bytes.length]
    const body = bytes.subarray(from, to - (fault?.missing ?? 0))
    const contentRange = fault?.contentRange ?? `bytes ${from}-${to - 1}/${bytes.length}`
    response.writeHead(asked ? 206 : 200, {
      etag,
      'content-length': body.length,
      ...(asked && { 'content-range': contentRange }),
    })
    const end = Math.min(body.length, fault?.cutAfter ?? Infinity, fault?.silentAfter ?? Infinity)
    for (let at = 0; at < end; at += 65_536) {
      if (this.pauseMs > 0) await new Promise((resolve) => setTimeout(resolve, this.pauseMs))
      const piece = body.subarray(at, Math.min(end, at + 65_536))
      await new Promise((resolve) => response.write(piece, resolve))
    }
    if (fault?.silentAfter !== undefined) response.flushHeaders()
    else if (end < body.length) response.destroy()
    else response.end()
  }
}

function addressOf(server: Server): string {
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}

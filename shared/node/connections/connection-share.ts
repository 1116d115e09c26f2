import { IdleRanking } from './idle-ranking.ts'

/**
 * Share of all connections that one client may hold: it takes four of them to hold all, and no browser needs as many.
 */
const shareOfOne = 1 / 4

/** Connections that a client may hold in any case: a browser opens six to one host. */
const leastOfOne = 8

/**
 * What an address represents:
 * - `client`: one client. It may hold a share of all connections.
 * - `many`: possibly many clients, such as a proxy on this machine or an edge. It may hold all connections as long as
 * nobody else needs one.
 * - `proxy`: certainly many, some of which may be about to ask something: none of its connections is closed for others.
 */
export type Standing = 'client' | 'many' | 'proxy'

/** The other end of a connection. */
export interface Peer {
  /** What counts as one client. */
  readonly network: string
  readonly standing: Standing
}

/** Which limit a connection ran into: that of all, or that of one client. */
export type Limit = 'all' | 'client'

/** Whether a connection may stay, and which idle one has to be closed for it. */
export interface Admission<Connection> {
  readonly isAdmitted: boolean
  readonly closed?: Connection
  /** Why something is closed: the connection itself, or the idle one. */
  readonly limit?: Limit
}

interface Holder<Connection> extends Peer {
  open: number
  readonly idle: Set<Connection>
}

interface Entry<Connection> {
  readonly holder: Holder<Connection>
  requests: number
}

/**
 * Shares a limited number of connections among clients. When all are open, a new one takes the place of the one that
 * has been idle for longest, of the client with the most idle ones; connections with a request are never closed. So
 * nobody can keep others out by merely holding connections, and a client that opens more of them displaces its own.
 *
 * Decides only; every step takes the same time, however many connections there are.
 */
export class ConnectionShare<Connection> {
  readonly most: number
  readonly mostOfOne: number
  readonly #entries = new Map<Connection, Entry<Connection>>()
  /** By standing and network: a proxy may have the network of clients. */
  readonly #holders = new Map<string, Holder<Connection>>()
  readonly #ranking = new IdleRanking<Connection, Holder<Connection>>()
  #refused = 0
  #displaced = 0

  /** @param most connections at once */
  constructor(most: number) {
    this.most = most
    this.mostOfOne = Math.max(leastOfOne, Math.floor(most * shareOfOne))
  }

  /** Connections that are open, and how many were refused and closed for others so far. */
  get counts() {
    return { open: this.#entries.size, refused: this.#refused, displaced: this.#displaced }
  }

  /** @returns whether the connection was admitted; it counts as idle, and `closed` as gone */
  admit(connection: Connection, peer: Peer): Admission<Connection> {
    const holder = this.#holders.get(nameOf(peer)) ?? { ...peer, open: 0, idle: new Set() }
    const limit = this.#limitOf(holder)
    if (limit === undefined) {
      this.#add(connection, holder)
      return { isAdmitted: true }
    }
    const closed = limit === 'client' ? oldestOf(holder) : this.#displacedFor(holder)
    if (closed === undefined) {
      this.#refused += 1
      return { isAdmitted: false, limit }
    }
    this.#displaced += 1
    this.remove(closed)
    this.#add(connection, holder)
    return { isAdmitted: true, closed, limit }
  }

  /** A request has begun on a connection. */
  begin(connection: Connection): void {
    const entry = this.#entries.get(connection)
    if (entry === undefined) return
    entry.requests += 1
    this.#ranking.remove(entry.holder, connection)
  }

  /** The answer to a request is sent. */
  end(connection: Connection): void {
    const entry = this.#entries.get(connection)
    if (entry === undefined) return
    entry.requests -= 1
    if (entry.requests === 0) this.#becomesIdle(connection, entry.holder)
  }

  /** A connection is gone. Does nothing if it is unknown. */
  remove(connection: Connection): void {
    const holder = this.#entries.get(connection)?.holder
    if (holder === undefined) return
    this.#entries.delete(connection)
    this.#ranking.remove(holder, connection)
    holder.open -= 1
    if (holder.open === 0) this.#holders.delete(nameOf(holder))
  }

  #limitOf({ standing, open }: Holder<Connection>): Limit | undefined {
    if (standing === 'client' && open >= this.mostOfOne) return 'client'
    return this.#entries.size >= this.most ? 'all' : undefined
  }

  /** Nobody else is displaced for a client that holds more than they do. */
  #displacedFor(holder: Holder<Connection>): Connection | undefined {
    const first = this.#ranking.first
    if (first === undefined) return undefined
    const holdsMore = holder.standing !== 'proxy' && holder.open > first.open
    return oldestOf(holdsMore ? holder : first)
  }

  #add(connection: Connection, holder: Holder<Connection>): void {
    // The holder may just have lost its only connection.
    this.#holders.set(nameOf(holder), holder)
    holder.open += 1
    this.#entries.set(connection, { holder, requests: 0 })
    this.#becomesIdle(connection, holder)
  }

  #becomesIdle(connection: Connection, holder: Holder<Connection>): void {
    if (holder.standing !== 'proxy') this.#ranking.add(holder, connection)
  }
}

function nameOf({ standing, network }: Peer): string {
  return `${standing} ${network}`
}

function oldestOf<Connection>({ idle }: Holder<Connection>): Connection | undefined {
  return idle.values().next().value
}

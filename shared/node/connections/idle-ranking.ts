/** Connections of one client that may be closed for others, the longest idle first. */
export interface Idle<Connection> {
  readonly idle: Set<Connection>
}

/**
 * Clients by the number of their idle connections. Every step takes the same time, however many there are, since a
 * number changes by one at a time.
 */
export class IdleRanking<Connection, Client extends Idle<Connection>> {
  /** At each index, the clients with as many idle connections. */
  readonly #ranks: Set<Client>[] = []
  #highest = 0

  /** The client with the most idle connections; of several, the one that has had as many for longest. */
  get first(): Client | undefined {
    return this.#ranks[this.#highest]?.values().next().value
  }

  /** @param connection becomes the one that is idle for the shortest time */
  add(client: Client, connection: Connection): void {
    this.#ranks[client.idle.size]?.delete(client)
    client.idle.add(connection)
    const rank = (this.#ranks[client.idle.size] ??= new Set())
    rank.add(client)
    if (client.idle.size > this.#highest) this.#highest = client.idle.size
    else this.#lower()
  }

  /** Does nothing when the connection is not idle. */
  remove(client: Client, connection: Connection): void {
    const before = client.idle.size
    if (!client.idle.delete(connection)) return
    this.#ranks[before]?.delete(client)
    if (client.idle.size > 0) (this.#ranks[client.idle.size] ??= new Set()).add(client)
    this.#lower()
  }

  #lower(): void {
    while (this.#highest > 0 && this.#ranks[this.#highest]?.size === 0) this.#highest -= 1
  }
}

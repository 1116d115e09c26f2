import { describe, expect, it } from 'vitest'
import { ConnectionShare, type Standing } from './connection-share.ts'

/** Connections are named after the clients that hold them: `a1` is the first of `a`. */
class Scene {
  readonly share: ConnectionShare<string>

  constructor(most: number) {
    this.share = new ConnectionShare(most)
  }

  /** What happens to each of several new connections of a client. */
  open(network: string, numbers: readonly number[], standing: Standing = 'client'): string[] {
    return numbers.map((number) => {
      const name = `${network}${number}`
      const { isAdmitted, closed, limit } = this.share.admit(name, { network, standing })
      if (!isAdmitted) return `refused by ${limit}`
      return closed === undefined ? 'admitted' : `admitted, ${closed} closed by ${limit}`
    })
  }

  busy(...names: string[]): void {
    for (const name of names) this.share.begin(name)
  }
}

const upTo = (count: number) => Array.from({ length: count }, (_, index) => index + 1)

describe('ConnectionShare', () => {
  it('closes the longest idle connection of the client with the most when all are open', () => {
    const scene = new Scene(9)
    scene.open('b', [1])
    scene.open('a', upTo(5))
    scene.open('c', upTo(3))
    // a1 has a request, and a2 had one just now.
    scene.busy('a1', 'a2')
    scene.share.end('a2')
    expect(scene.open('d', [1])).toEqual(['admitted, a3 closed by all'])
    expect(scene.share.counts).toEqual({ open: 9, refused: 0, displaced: 1 })
  })

  it('never closes a connection with a request, of which there may be several', () => {
    const scene = new Scene(2)
    scene.open('a', [1, 2], 'many')
    scene.busy('a1', 'a1', 'a2')
    scene.share.end('a1')
    expect(scene.open('b', [1])).toEqual(['refused by all'])
    scene.share.end('a1')
    expect(scene.open('b', [2])).toEqual(['admitted, a1 closed by all'])
    expect(scene.share.counts).toEqual({ open: 2, refused: 1, displaced: 1 })
  })

  it('displaces nobody for a client that holds more', () => {
    const scene = new Scene(20)
    scene.open('a', upTo(19), 'many')
    scene.busy(...upTo(19).map((number) => `a${number}`))
    scene.open('b', [1])
    expect(scene.open('a', [20], 'many')).toEqual(['refused by all'])
    expect(scene.open('c', [1])).toEqual(['admitted, b1 closed by all'])
  })

  it('leaves a client that opens more and more only its own connections to displace', () => {
    const scene = new Scene(40)
    scene.open('b', [1])
    const opened = scene.open('a', upTo(1_000), 'many')
    expect(opened.slice(0, 39)).toEqual(Array(39).fill('admitted'))
    expect(opened.at(-1)).toBe('admitted, a961 closed by all')
    expect(scene.open('c', upTo(3))).toEqual([
      'admitted, a962 closed by all',
      'admitted, a963 closed by all',
      'admitted, a964 closed by all',
    ])
  })

  it('holds one client to a quarter, of which it displaces its own idle ones', () => {
    const scene = new Scene(40)
    expect(scene.share.mostOfOne).toBe(10)
    scene.open('a', upTo(10))
    scene.busy('a1')
    expect(scene.open('a', [11])).toEqual(['admitted, a2 closed by client'])
    scene.busy(...upTo(11).map((number) => `a${number}`))
    expect(scene.open('a', [12])).toEqual(['refused by client'])
    expect(scene.open('b', [1])).toEqual(['admitted'])
  })

  it('lets every client have as many as a browser opens', () => {
    expect(new ConnectionShare(16).mostOfOne).toBe(8)
  })

  it('displaces those of a client itself where others hold less than it does', () => {
    const scene = new Scene(10)
    scene.open('a', upTo(7), 'many')
    scene.busy('a1', 'a2', 'a3', 'a4', 'a5')
    scene.open('b', upTo(3))
    expect(scene.open('a', [8, 9], 'many')).toEqual([
      'admitted, a6 closed by all',
      'admitted, a7 closed by all',
    ])
  })

  it('tells a proxy from a client in its network', () => {
    const scene = new Scene(40)
    scene.open('a', [1])
    expect(scene.open('a', upTo(12).slice(1), 'proxy')).toEqual(Array(11).fill('admitted'))
    expect(scene.open('a', [13])).toEqual(['admitted'])
    scene.busy('a1', 'a13')
    expect(scene.open('a', upTo(21).slice(13))).toEqual(Array(8).fill('admitted'))
    expect(scene.share.counts).toMatchObject({ refused: 0, displaced: 0 })
  })

  it('neither bounds a proxy nor closes its connections', () => {
    const scene = new Scene(12)
    scene.open('p', upTo(11), 'proxy')
    scene.open('a', [1])
    expect(scene.open('p', [12], 'proxy')).toEqual(['admitted, a1 closed by all'])
    expect(scene.open('a', [2])).toEqual(['refused by all'])
  })

  it('forgets what is gone, in whatever state', () => {
    const scene = new Scene(4)
    scene.open('a', upTo(4))
    scene.busy('a2')
    for (const name of ['a1', 'a2', 'a2', 'x1']) scene.share.remove(name)
    scene.share.end('a2')
    scene.share.begin('a1')
    expect(scene.share.counts.open).toBe(2)
    expect(scene.open('b', upTo(3))).toEqual(['admitted', 'admitted', 'admitted, a3 closed by all'])
  })

  it('closes what a search through all connections would', () => {
    const most = 30
    const { share } = new Scene(most)
    const world = new World()
    const closed: boolean[] = []
    for (let step = 0; step < 3_000; step += 1) {
      const name = world.any()
      const action = world.draw(32)
      if (action < 8) {
        const network = 'abcde'[world.draw(5)]!
        const longest = world.givingWayTo(network)
        const made = share.admit(`${network}-${step}`, { network, standing: 'many' })
        if (made.closed !== undefined) {
          closed.push(world.open.size === most && longest.includes(made.closed))
          world.remove(made.closed)
        }
        if (made.isAdmitted) world.add(`${network}-${step}`)
      } else if (name !== undefined && action < 16) {
        if (world.begin(name)) share.begin(name)
      } else if (name !== undefined && action < 31) {
        if (world.end(name)) share.end(name)
      } else if (name !== undefined) {
        share.remove(name)
        world.remove(name)
      }
      expect(share.counts.open).toBe(world.open.size)
    }
    expect(closed.length).toBeGreaterThan(50)
    expect(closed.every(Boolean)).toBe(true)
  })
})

/** Random events, and the plain truth about them. The first letter of a name is its client. */
class World {
  /** Each connection with the time since which it is idle; undefined while it has a request. */
  readonly open = new Map<string, number | undefined>()
  #clock = 0
  #seed = 1

  draw(below: number): number {
    this.#seed = (this.#seed * 48_271) % 2_147_483_647
    return this.#seed % below
  }
  any(): string | undefined {
    return [...this.open.keys()][this.draw(Math.max(1, this.open.size))]
  }
  add(name: string): void {
    this.open.set(name, (this.#clock += 1))
  }
  remove(name: string): void {
    this.open.delete(name)
  }
  begin(name: string): boolean {
    const isIdle = this.open.get(name) !== undefined
    this.open.set(name, undefined)
    return isIdle
  }
  end(name: string): boolean {
    const isBusy = this.open.get(name) === undefined
    if (isBusy) this.add(name)
    return isBusy
  }
  /**
   * Which connections may be closed for a client's new one: the longest idle one of each client with the most idle ones,
   * or its own longest idle one where it holds more than such a client.
   */
  givingWayTo(client: string): string[] {
    const idle = [...this.open].filter(([, since]) => since !== undefined)
    const clients = Map.groupBy(idle, ([name]) => name[0]!)
    const mostIdle = Math.max(0, ...[...clients.values()].map(({ length }) => length))
    return [...clients]
      .flatMap(([other, others]) => {
        if (others.length < mostIdle) return []
        const its = this.#held(client) > this.#held(other) ? (clients.get(client) ?? []) : others
        return its.toSorted(([, one], [, another]) => one! - another!).slice(0, 1)
      })
      .map(([name]) => name)
  }
  #held(client: string): number {
    return [...this.open.keys()].filter((name) => name.startsWith(client)).length
  }
}

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

  it('decides as a search through all connections would', () => {
    const most = 30
    const scene = new Scene(most)
    const idleSince = new Map<string, number>()
    let clock = 0
    let seed = 1
    const draw = (below: number) => {
      seed = (seed * 48_271) % 2_147_483_647
      return seed % below
    }
    const networks = ['a', 'b', 'c', 'd', 'e']
    const open = new Set<string>()
    const countOf = (network: string, names: Iterable<string>) =>
      [...names].filter((name) => name.startsWith(network)).length
    for (let step = 0; step < 3_000; step += 1) {
      const names = [...open]
      const name = names[draw(Math.max(1, names.length))]
      const action = draw(4)
      if (action === 0 && name !== undefined && idleSince.delete(name)) scene.share.begin(name)
      else if (action === 1 && name !== undefined && !idleSince.has(name)) {
        scene.share.end(name)
        idleSince.set(name, (clock += 1))
      } else if (action === 2) {
        const network = networks[draw(networks.length)]!
        const mostIdle = Math.max(0, ...networks.map((one) => countOf(one, idleSince.keys())))
        const peer = { network, standing: 'many' as const }
        const { isAdmitted, closed } = scene.share.admit(`${network}-${step}`, peer)
        if (closed !== undefined) {
          expect(open.size).toBe(most)
          const its = [...idleSince.keys()].filter((one) => one[0] === closed[0])
          expect(its).toHaveLength(mostIdle)
          expect(its.toSorted((x, y) => idleSince.get(x)! - idleSince.get(y)!)[0]).toBe(closed)
          open.delete(closed)
          idleSince.delete(closed)
        }
        if (isAdmitted) {
          open.add(`${network}-${step}`)
          idleSince.set(`${network}-${step}`, (clock += 1))
        }
      } else if (name !== undefined && draw(8) === 0) {
        scene.share.remove(name)
        open.delete(name)
        idleSince.delete(name)
      }
      expect(scene.share.counts.open).toBe(open.size)
    }
    expect(scene.share.counts.displaced).toBeGreaterThan(50)
  })
})

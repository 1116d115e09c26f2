/** The ending that is written when tokens run out: its length from any position, and its text. */
import type { ArrayPlan, Grammar, ObjectPlan, PlanId } from '../grammar.ts'
import {
  arrayCost,
  itemOf,
  memberCosts,
  missingMembers,
  objectCost,
  type MemberCosts,
} from '../ending-cost.ts'
import { KeyText } from '../pieces/key-text.ts'
import { nearestByte, type Piece } from '../pieces/piece.ts'
import type { Frame, Head, Members, Standing, Surrounding, Surroundings } from './frames.ts'
import { turnOf } from './object-turn.ts'
import type { Pieces } from './pieces.ts'

export class Endings {
  readonly #grammar: Grammar
  readonly #pieces: Pieces
  readonly #costs = new Map<ObjectPlan, MemberCosts>()

  constructor(grammar: Grammar, pieces: Pieces) {
    this.#grammar = grammar
    this.#pieces = pieces
  }

  /** Bytes from the last item on, including everything around the array. */
  ofElements(plan: ArrayPlan, count: number, up: Surroundings): number {
    return arrayCost(plan, this.#grammar.least, count) + leastUp(up)
  }

  /** Bytes from the last member on, including everything around the object. */
  ofMembers(plan: ObjectPlan, at: number, count: number, up: Surroundings): number {
    const costs = this.#costs.get(plan) ?? this.#costsOf(plan)
    this.#costs.set(plan, costs)
    return objectCost(costs, at, count) + leastUp(up)
  }

  #costsOf(plan: ObjectPlan): MemberCosts {
    const key = plan.extra && this.#pieces.get(plan.extra.key)
    return memberCosts(plan, this.#grammar.least, key === undefined ? 0 : key.least(key.start))
  }

  /** Bytes. */
  least({ heads, mayEnd }: Standing): number {
    if (mayEnd) return 0
    return heads.reduce((least, head) => Math.min(least, this.#leastOfHead(head)), Infinity)
  }

  text(standing: Standing): Uint8Array {
    const bytes: number[] = []
    if (!standing.mayEnd) this.#writeHead(bytes, standing)
    return Uint8Array.from(bytes)
  }

  #leastOfHead({ piece, state, frames }: Head): number {
    const behind = frames.map((frame) => this.#leastBehind(frame, piece, state))
    return piece.least(state) + Math.min(...behind)
  }

  #leastBehind(frame: Frame, piece: Piece, state: number): number {
    const { least } = this.#grammar
    switch (frame.kind) {
      case 'end':
      case 'elements':
      case 'members':
        return frame.least
      case 'element':
        return (
          least[itemOf(frame.plan, frame.count)!]! +
          this.ofElements(frame.plan, frame.count + 1, frame.up)
        )
      case 'member': {
        const number = nextProperty(frame)
        if (number === undefined) return this.#extraKeyLeast(frame) + 1 + this.#leastOfExtra(frame)
        return frame.plan.properties[number]!.keyBytes + this.#leastOfValue(frame, number)
      }
      case 'value':
        return this.#leastOfValue(frame, propertyOf(piece, state))
      case 'colon':
        return 1 + this.#leastOfExtra(frame)
      case 'extra':
        return this.#leastOfExtra(frame)
    }
  }

  #leastOfValue({ plan, count, up }: Members, number: number): number {
    return (
      this.#grammar.least[plan.properties[number]!.value]! +
      this.ofMembers(plan, number + 1, count + 1, up)
    )
  }

  #leastOfExtra({ plan, count, up }: Members): number {
    const { properties, extra } = plan
    return (
      this.#grammar.least[extra!.value]! + this.ofMembers(plan, properties.length, count + 1, up)
    )
  }

  #extraKeyLeast({ plan }: Members): number {
    const key = this.#pieces.get(plan.extra!.key)
    return key.least(key.start)
  }

  #writeHead(bytes: number[], { heads }: Standing): void {
    const { piece, state, frames } = nearest(heads, (head) => this.#leastOfHead(head))
    const frame = nearest(frames, (one) => this.#leastBehind(one, piece, state))
    const end = writePiece(bytes, piece, state)
    this.#writeBehind(bytes, frame, piece, end)
  }

  #writeBehind(bytes: number[], frame: Frame, piece: Piece, state: number): void {
    switch (frame.kind) {
      case 'end':
        return
      case 'elements':
        return this.#writeElements(bytes, frame.plan, frame.count, frame.up)
      case 'element':
        this.#writePlan(bytes, itemOf(frame.plan, frame.count)!)
        return this.#writeElements(bytes, frame.plan, frame.count + 1, frame.up)
      case 'members':
        return this.#writeMembers(bytes, frame)
      case 'member': {
        const number = nextProperty(frame)
        if (number === undefined) return this.#writeExtra(bytes, frame, 'key')
        write(bytes, frame.plan.properties[number]!.key)
        return this.#writeValue(bytes, frame, number)
      }
      case 'value':
        return this.#writeValue(bytes, frame, propertyOf(piece, state))
      case 'colon':
        return this.#writeExtra(bytes, frame, 'colon')
      case 'extra':
        return this.#writeExtra(bytes, frame, 'value')
    }
  }

  #writeUp(bytes: number[], up: Surroundings): void {
    const frame = nearest(up, ({ least }) => least)
    if (frame.kind === 'elements') this.#writeElements(bytes, frame.plan, frame.count, frame.up)
    if (frame.kind === 'members') this.#writeMembers(bytes, frame)
  }

  #writeElements(bytes: number[], plan: ArrayPlan, count: number, up: Surroundings): void {
    for (let at = count; at < plan.min; at++) {
      if (at > 0) write(bytes, ',')
      this.#writePlan(bytes, itemOf(plan, at)!)
    }
    write(bytes, ']')
    this.#writeUp(bytes, up)
  }

  #writeMembers(bytes: number[], { plan, at, count, up }: Members): void {
    const missing = missingMembers(plan, this.#grammar.least, at, count)
    let written = count
    for (const number of missing?.properties ?? []) {
      if (written++ > 0) write(bytes, ',')
      write(bytes, plan.properties[number]!.key)
      this.#writePlan(bytes, plan.properties[number]!.value)
    }
    if ((missing?.extras ?? 0) > 0) {
      if (written > 0) write(bytes, ',')
      this.#writeExtraMember(bytes, plan, 'key')
    }
    write(bytes, '}')
    this.#writeUp(bytes, up)
  }

  #writeValue(bytes: number[], { plan, count, up }: Members, number: number): void {
    this.#writePlan(bytes, plan.properties[number]!.value)
    this.#writeMembers(bytes, { plan, at: number + 1, count: count + 1, up })
  }

  #writeExtra(
    bytes: number[],
    { plan, count, up }: Members,
    from: 'key' | 'colon' | 'value',
  ): void {
    this.#writeExtraMember(bytes, plan, from)
    this.#writeMembers(bytes, { plan, at: plan.properties.length, count: count + 1, up })
  }

  #writeExtraMember(bytes: number[], { extra }: ObjectPlan, from: 'key' | 'colon' | 'value'): void {
    const key = this.#pieces.get(extra!.key)
    if (from === 'key') writePiece(bytes, key, key.start)
    if (from !== 'value') write(bytes, ':')
    this.#writePlan(bytes, extra!.value)
  }

  #writePlan(bytes: number[], id: PlanId): void {
    const plan = this.#grammar.plans[id]!
    switch (plan.kind) {
      case 'piece': {
        const piece = this.#pieces.get(plan.piece)
        writePiece(bytes, piece, piece.start)
        return
      }
      case 'either':
        return this.#writePlan(
          bytes,
          nearest(plan.of, (one) => this.#grammar.least[one]!),
        )
      case 'array':
        write(bytes, '[')
        return this.#writeElements(bytes, plan, 0, noSurroundings)
      case 'object':
        write(bytes, '{')
        return this.#writeMembers(bytes, { plan, at: 0, count: 0, up: noSurroundings })
    }
  }
}

const noSurroundings: Surroundings = [{ kind: 'end', least: 0 }]

function leastUp(up: Surroundings): number {
  return up.reduce((least: number, frame: Surrounding) => Math.min(least, frame.least), Infinity)
}

/** The declared property that an ending writes after a comma; undefined if only other properties may come. */
function nextProperty({ plan, at, count }: Members): number | undefined {
  const { from, to } = turnOf(plan, at, count)
  return from <= to ? to : undefined
}

function propertyOf(piece: Piece, state: number): number {
  if (piece instanceof KeyText) return piece.propertyOf(state)
  throw new RangeError('Only a key is followed by its value')
}

/** @returns the state at its end */
function writePiece(bytes: number[], piece: Piece, state: number): number {
  let at = state
  while (piece.least(at) > 0) {
    const byte = nearestByte(piece, at)
    bytes.push(byte)
    at = piece.step(at, byte)
  }
  return at
}

function write(bytes: number[], text: string): void {
  for (const byte of Buffer.from(text)) bytes.push(byte)
}

/** @param of not empty */
function nearest<One>(of: readonly One[], distance: (one: One) => number): One {
  return of.reduce((best, one) => (distance(one) < distance(best) ? one : best))
}

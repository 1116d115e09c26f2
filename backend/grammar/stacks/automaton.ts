/**
 * Reads JSON text of a grammar byte by byte. The position in a text is a list of heads: each is a piece that reads
 * bytes, together with everything that may follow it. Followers are shared (a graph-structured stack, Tomita 1985):
 * where alternatives begin alike, one head represents all of them. Every head can reach an end, so there is always an
 * allowed byte.
 */
import { itemOf } from '../ending-cost.ts'
import type { Grammar, PlanId } from '../grammar.ts'
import { maxFrames, maxHeads } from '../limits.ts'
import { KeyText } from '../pieces/key-text.ts'
import type { Piece } from '../pieces/piece.ts'
import { Endings } from './endings.ts'
import type {
  Frame,
  Frames,
  Head,
  Items,
  Members,
  Standing,
  Surrounding,
  Surroundings,
} from './frames.ts'
import { turnOf } from './object-turn.ts'
import { closeArray, closeObject, colon, comma, openArray, openObject, Pieces } from './pieces.ts'

export class Automaton {
  readonly start: Standing
  readonly endings: Endings
  readonly #parts: Parts

  constructor(grammar: Grammar) {
    const pieces = new Pieces(grammar)
    this.endings = new Endings(grammar, pieces)
    this.#parts = { grammar, pieces, endings: this.endings }
    const opening = new Opening(this.#parts)
    opening.open(grammar.root, [{ kind: 'end', least: 0 }])
    this.start = opening.standing()
  }

  /** @returns undefined when the byte is not allowed */
  step({ heads }: Standing, byte: number): Standing | undefined {
    const opening = new Opening(this.#parts)
    for (const { piece, state, frames } of heads) {
      const next = piece.step(state, byte)
      if (next < 0) continue
      if (piece.goesOn(next)) opening.addHead(piece, next, frames)
      if (piece.isDone(next)) opening.follow(frames, piece, next)
    }
    const standing = opening.standing()
    return standing.heads.length > 0 || standing.mayEnd ? standing : undefined
  }

  /** What follows a piece that is complete in some state. */
  behind({ piece, frames }: Head, state: number): Standing {
    const opening = new Opening(this.#parts)
    opening.follow(frames, piece, state)
    return opening.standing()
  }
}

interface Parts {
  readonly grammar: Grammar
  readonly pieces: Pieces
  readonly endings: Endings
}

/** Collects what may come next, and merges equal heads. */
class Opening {
  readonly #parts: Parts
  readonly #heads: Head[] = []
  readonly #plans = new Map<PlanId, Surroundings>()
  readonly #followed = new Set<Frame>()
  #mayEnd = false

  constructor(parts: Parts) {
    this.#parts = parts
  }

  standing(): Standing {
    for (const [id, up] of this.#plans) this.#begin(id, up)
    return { heads: this.#heads, mayEnd: this.#mayEnd }
  }

  open(id: PlanId, up: Surroundings): void {
    const plan = this.#parts.grammar.plans[id]!
    if (plan.kind === 'either') for (const one of plan.of) this.open(one, up)
    else this.#plans.set(id, joined(this.#plans.get(id), up))
  }

  addHead(piece: Piece, state: number, frames: Frames): void {
    const same = this.#heads.findIndex((head) => head.piece === piece && head.state === state)
    if (same >= 0) {
      this.#heads[same] = { piece, state, frames: joined(this.#heads[same]!.frames, frames) }
    } else if (this.#heads.length < maxHeads) this.#heads.push({ piece, state, frames })
  }

  /** What follows the same surroundings is the same, whichever alternative ended, except after a key. */
  follow(frames: Frames, piece: Piece, state: number): void {
    for (const frame of frames) {
      if (this.#followed.has(frame)) continue
      if (frame.kind !== 'value') this.#followed.add(frame)
      this.#resume(frame, piece, state)
    }
  }

  #begin(id: PlanId, up: Surroundings): void {
    const plan = this.#parts.grammar.plans[id]!
    switch (plan.kind) {
      case 'piece':
        return this.#await(this.#parts.pieces.get(plan.piece), up)
      case 'array':
        return this.#await(openArray, [this.#elements({ plan, count: 0, up })])
      case 'object':
        return this.#await(openObject, [this.#members({ plan, at: 0, count: 0, up })])
      case 'either':
        return
    }
  }

  #await(piece: Piece, frames: Frames): void {
    this.addHead(piece, piece.start, frames)
  }

  #elements({ plan, count, up }: Items): Surrounding {
    return {
      kind: 'elements',
      plan,
      count,
      up,
      least: this.#parts.endings.ofElements(plan, count, up),
    }
  }

  #members({ plan, at, count, up }: Members): Surrounding {
    return {
      kind: 'members',
      plan,
      at,
      count,
      up,
      least: this.#parts.endings.ofMembers(plan, at, count, up),
    }
  }

  #resume(frame: Frame, piece: Piece, state: number): void {
    switch (frame.kind) {
      case 'end':
        this.#mayEnd = true
        return
      case 'elements':
        return this.#nextElement(frame)
      case 'element':
        return this.#openElement(frame)
      case 'members':
        return this.#nextMember(frame)
      case 'member':
        return this.#openMember(frame)
      case 'value':
        return this.#openValue(frame, piece, state)
      case 'colon':
        return this.#await(colon, [{ ...frame, kind: 'extra' }])
      case 'extra':
        return this.#openExtra(frame)
    }
  }

  #nextElement({ plan, count, up }: Items): void {
    if (count >= plan.min) this.#await(closeArray, up)
    if (count >= plan.max || itemOf(plan, count) === undefined) return
    if (count === 0) this.#openElement({ plan, count, up })
    else this.#await(comma, [{ kind: 'element', plan, count, up }])
  }

  #openElement({ plan, count, up }: Items): void {
    this.open(itemOf(plan, count)!, [this.#elements({ plan, count: count + 1, up })])
  }

  #nextMember({ plan, at, count, up }: Members): void {
    const { mayClose, from, to, mayHaveExtra } = turnOf(plan, at, count)
    if (mayClose) this.#await(closeObject, up)
    if (from > to && !mayHaveExtra) return
    if (count === 0) this.#openMember({ plan, at, count, up })
    else this.#await(comma, [{ kind: 'member', plan, at, count, up }])
  }

  #openMember({ plan, at, count, up }: Members): void {
    const { from, to, mayHaveExtra } = turnOf(plan, at, count)
    const { pieces } = this.#parts
    if (from <= to)
      this.#await(pieces.keys(plan, from, to), [{ kind: 'value', plan, at, count, up }])
    if (mayHaveExtra)
      this.#await(pieces.get(plan.extra!.key), [{ kind: 'colon', plan, at, count, up }])
  }

  #openValue({ plan, count, up }: Members, piece: Piece, state: number): void {
    if (!(piece instanceof KeyText)) throw new RangeError('Only a key is followed by its value')
    const number = piece.propertyOf(state)
    const then = this.#members({ plan, at: number + 1, count: count + 1, up })
    this.open(plan.properties[number]!.value, [then])
  }

  #openExtra({ plan, count, up }: Members): void {
    const then = this.#members({ plan, at: plan.properties.length, count: count + 1, up })
    this.open(plan.extra!.value, [then])
  }
}

function joined<One>(known: readonly One[] | undefined, more: readonly One[]): readonly One[] {
  if (known === undefined || known === more) return more
  return [...new Set([...known, ...more])].slice(0, maxFrames)
}

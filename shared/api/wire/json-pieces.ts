/** Items of a long list in one piece: that many tokens with 20 alternatives each take about a millisecond. */
const itemsOfPiece = 16

/** Characters that are worth being sent by themselves. */
const leastPiece = 64 * 1024

/** A list whose items are made when they are written, so that a long one does not have to be made at once. */
export class LazyList<Item> {
  readonly #items: readonly Item[]
  readonly #view: (item: Item) => unknown

  constructor(items: readonly Item[], view: (item: Item) => unknown) {
    this.#items = items
    this.#view = view
  }

  get length(): number {
    return this.#items.length
  }

  toJSON(): unknown[] {
    return this.slice(0, this.#items.length)
  }

  slice(from: number, to: number): unknown[] {
    return this.#items.slice(from, to).map(this.#view)
  }
}

/** The JSON text of a value, as `JSON.stringify` writes it, in pieces of which none takes long. */
export function* jsonPieces(value: unknown): Generator<string> {
  if (!holdsLongList(value)) yield JSON.stringify(value)
  else if (value instanceof LazyList || isLong(value)) yield* longListPieces(value)
  else if (Array.isArray(value)) yield* listPieces(value)
  else yield* objectPieces(value as object)
}

/** Puts pieces together that are too short to be sent by themselves. */
export function* joinPieces(pieces: Iterable<string>): Generator<string> {
  let text = ''
  for (const piece of pieces) {
    text += piece
    if (text.length < leastPiece) continue
    yield text
    text = ''
  }
  if (text !== '') yield text
}

function isLong(value: unknown): value is readonly unknown[] {
  return Array.isArray(value) && value.length > itemsOfPiece
}

function holdsLongList(value: unknown): boolean {
  if (value instanceof LazyList) return value.length > itemsOfPiece
  if (typeof value !== 'object' || value === null) return false
  return isLong(value) || Object.values(value).some(holdsLongList)
}

function* longListPieces(list: Pick<LazyList<unknown>, 'length' | 'slice'>): Generator<string> {
  for (let at = 0; at < list.length; at += itemsOfPiece) {
    const items = JSON.stringify(list.slice(at, at + itemsOfPiece)).slice(1, -1)
    yield (at === 0 ? '[' : ',') + items
  }
  yield ']'
}

function* listPieces(list: readonly unknown[]): Generator<string> {
  for (const [index, item] of list.entries()) {
    yield index === 0 ? '[' : ','
    yield* jsonPieces(item ?? null)
  }
  yield ']'
}

function* objectPieces(object: object): Generator<string> {
  let before = '{'
  for (const [name, value] of Object.entries(object)) {
    if (value === undefined) continue
    yield `${before}${JSON.stringify(name)}:`
    yield* jsonPieces(value)
    before = ','
  }
  yield '}'
}

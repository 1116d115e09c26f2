interface Grouped {
  readonly group?: object
}

/** Waiting items whose groups take turns; those of one group follow in order of arrival. */
export class Rotation<Item extends Grouped> implements Iterable<Item> {
  /** In the order of their turns; those without items are gone. */
  readonly #groups = new Map<object | undefined, Set<Item>>()
  #size = 0

  get size(): number {
    return this.#size
  }

  has(item: Item): boolean {
    return this.#groups.get(item.group)?.has(item) === true
  }

  /** A group that has nothing waiting joins as the last. */
  add(item: Item): void {
    const items = this.#groups.get(item.group) ?? new Set()
    this.#groups.set(item.group, items.add(item))
    this.#size += 1
  }

  /** Removes a waiting item in order to run it: the turn passes to the other groups. */
  take(item: Item): void {
    const items = this.#groups.get(item.group)
    this.delete(item)
    if (items === undefined || items.size === 0) return
    this.#groups.delete(item.group)
    this.#groups.set(item.group, items)
  }

  /** Removes an item that is waiting, and leaves the turn as it is. */
  delete(item: Item): void {
    const items = this.#groups.get(item.group)
    if (items?.delete(item) !== true) return
    this.#size -= 1
    if (items.size === 0) this.#groups.delete(item.group)
  }

  /** The first item of each group. */
  *heads(): Iterable<Item> {
    for (const items of this.#groups.values()) {
      for (const first of items) {
        yield first
        break
      }
    }
  }

  *[Symbol.iterator](): Iterator<Item> {
    for (const items of this.#groups.values()) yield* items
  }
}

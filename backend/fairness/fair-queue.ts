import { Rotation } from './rotation.ts'

/** A waiting item: one tenant's job and the work expected of it. */
export interface Queueable {
  readonly tenant: string
  /** In any one unit; more than 0. */
  readonly estimatedWork: number
  /** What it belongs to: the groups of one tenant take turns, item by item. By default all are one group. */
  readonly group?: object
}

interface Tenant<Item extends Queueable> {
  readonly weight: number
  /** Work done for the tenant, divided by its weight: its virtual time. */
  settled: number
  /** Work charged for its running items, divided by its weight. */
  charged: number
  /** The charge for each running item: its estimate, or more when it has exceeded that. */
  readonly running: Map<Item, number>
  /** Sequence number of the last item taken from it, counted over all tenants; 0 before the first. */
  lastTurn: number
  readonly waiting: Rotation<Item>
}

/**
 * Weighted fair queueing by virtual time. Starting an item charges its tenant the estimate; its end replaces the
 * estimate by the actual work. The tenant charged least, relative to its weight, is next. A tenant that was idle
 * joins at the virtual time of the least served active tenant, so its absence earns it no credit, and it owes nothing
 * for what others received meanwhile. (After "Start-time Fair Queuing" by Goyal, Vin and Cheng, and the virtual token
 * counter of "Fairness in Serving Large Language Models" by Sheng et al.)
 */
export class FairQueue<Item extends Queueable> implements Iterable<Item> {
  readonly #weights: ReadonlyMap<string, number>
  /** Tenants with waiting or running items, and those whose virtual time is still ahead of `#floor`. */
  readonly #tenants = new Map<string, Tenant<Item>>()
  /** The highest virtual time so far of the least served active tenant. */
  #floor = 0
  #turns = 0
  #size = 0
  #work = 0

  /** @param weights of tenants, more than 0; 1 for those not named */
  constructor(weights: ReadonlyMap<string, number>) {
    this.#weights = weights
  }

  get size(): number {
    return this.#size
  }

  /** Estimated work of all waiting items. */
  get work(): number {
    return this.#work
  }

  /** Number of one tenant's waiting items. */
  waitingOf(tenant: string): number {
    return this.#tenants.get(tenant)?.waiting.size ?? 0
  }

  add(item: Item): void {
    this.#activated(item.tenant).waiting.add(item)
    this.#size += 1
    this.#work += item.estimatedWork
  }

  /**
   * Removes the next item in order to run it. Its tenant is charged until `settle`.
   * @param canRun called with the first item of each group, tenant by tenant in turn, until it returns true; by default
   *   any item can run
   */
  take(canRun: (item: Item) => boolean = () => true): Item | undefined {
    const item = this.peek(canRun)
    if (item === undefined) return undefined
    const tenant = this.#tenants.get(item.tenant)!
    tenant.waiting.take(item)
    this.#countOut(item)
    tenant.charged += item.estimatedWork / tenant.weight
    tenant.running.set(item, item.estimatedWork)
    tenant.lastTurn = ++this.#turns
    return item
  }

  /** The item that `take` would return, without removing it. */
  peek(canRun: (item: Item) => boolean): Item | undefined {
    for (const { waiting } of this.#inTurn()) {
      for (const item of waiting.heads()) if (canRun(item)) return item
    }
    return undefined
  }

  /** Removes an item that will not run; does nothing when it is not waiting. */
  remove(item: Item): void {
    const tenant = this.#tenants.get(item.tenant)
    if (tenant === undefined || !tenant.waiting.has(item)) return
    tenant.waiting.delete(item)
    this.#countOut(item)
    this.#forgetIdle()
  }

  /** A running item has done `work` so far: anything beyond its estimate is charged already. */
  recharge(item: Item, work: number): void {
    const tenant = this.#tenants.get(item.tenant)
    const charged = tenant?.running.get(item)
    if (tenant === undefined || charged === undefined || work <= charged) return
    tenant.charged += (work - charged) / tenant.weight
    tenant.running.set(item, work)
  }

  /** An item that was taken has ended after `actualWork`. */
  settle(item: Item, actualWork: number): void {
    const tenant = this.#tenants.get(item.tenant)
    const charged = tenant?.running.get(item)
    if (tenant === undefined || charged === undefined) {
      throw new RangeError('The item does not run')
    }
    tenant.running.delete(item)
    // A running sum of quotients would accumulate rounding errors.
    tenant.charged = tenant.running.size === 0 ? 0 : tenant.charged - charged / tenant.weight
    tenant.settled += actualWork / tenant.weight
    this.#forgetIdle()
  }

  /** Number of items that would be taken before a new one of `tenant`, if all estimates were exact. */
  before(tenant: string): number {
    const own = this.#tenants.get(tenant)
    const ownWaiting = own === undefined ? [] : [...own.waiting]
    const ownTag = own === undefined ? this.#least() : tagAfter(own, ownWaiting)
    let count = ownWaiting.length
    for (const other of this.#tenants.values()) {
      if (other === own) continue
      let tag = tagOf(other)
      for (const item of other.waiting) {
        if (tag >= ownTag) break
        count += 1
        tag += item.estimatedWork / other.weight
      }
    }
    return count
  }

  /** All waiting items, tenant by tenant. */
  *[Symbol.iterator](): Iterator<Item> {
    for (const { waiting } of this.#tenants.values()) yield* waiting
  }

  /** One that no longer waits. */
  #countOut(item: Item): void {
    this.#size -= 1
    this.#work = this.#size === 0 ? 0 : this.#work - item.estimatedWork
  }

  #activated(name: string): Tenant<Item> {
    const known = this.#tenants.get(name)
    if (known !== undefined && isActive(known)) return known
    const settled = Math.max(known?.settled ?? 0, this.#least())
    const weight = this.#weights.get(name) ?? 1
    const lastTurn = known?.lastTurn ?? 0
    const running = new Map<Item, number>()
    const waiting = new Rotation<Item>()
    const tenant = { weight, settled, charged: 0, running, lastTurn, waiting }
    this.#tenants.set(name, tenant)
    return tenant
  }

  #least(): number {
    const active = [...this.#tenants.values()].filter(isActive)
    if (active.length > 0) {
      this.#floor = Math.max(this.#floor, Math.min(...active.map(({ settled }) => settled)))
    }
    return this.#floor
  }

  /** Tenants with waiting items, in the order in which they will be served. */
  #inTurn(): Tenant<Item>[] {
    return [...this.#tenants.values()]
      .filter(({ waiting }) => waiting.size > 0)
      .toSorted((a, b) => tagOf(a) - tagOf(b) || a.lastTurn - b.lastTurn)
  }

  /**
   * Drops idle tenants that are behind the floor, to which they would be lifted anyway. With no active tenant,
   * virtual time restarts.
   */
  #forgetIdle(): void {
    const floor = this.#least()
    let active = 0
    for (const [name, tenant] of this.#tenants) {
      if (isActive(tenant)) active += 1
      else if (tenant.settled <= floor) this.#tenants.delete(name)
    }
    if (active > 0) return
    this.#tenants.clear()
    this.#floor = 0
  }
}

function isActive({ waiting, running }: Tenant<Queueable>): boolean {
  return waiting.size + running.size > 0
}

/** Among equal tags, the tenant whose last turn was longest ago is next. */
function tagOf({ settled, charged }: Tenant<Queueable>): number {
  return settled + charged
}

function tagAfter({ weight, ...tenant }: Tenant<Queueable>, items: readonly Queueable[]): number {
  const work = items.reduce((sum, { estimatedWork }) => sum + estimatedWork, 0)
  return tenant.settled + tenant.charged + work / weight
}

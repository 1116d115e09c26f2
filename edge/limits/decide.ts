import type { KeyLimits } from '../keys/key-record.ts'
import {
  type Amounts,
  type Decision,
  type Demand,
  type LimitName,
  type Refusal,
  type Standing,
  unitOf,
} from './meter.ts'
import { type Counted, msUntilFree, msUntilGone, secondOf, sumOf } from './sliding-window.ts'
import { msUntilNextDay } from './utc-day.ts'

/** What a key has used and reserved so far. */
export interface Counts {
  /** Of the sliding minute. */
  readonly requests: readonly Counted[]
  readonly tokens: readonly Counted[]
  readonly running: number
  readonly tokensToday: number
  readonly imagesToday: number
}

/** Milliseconds to wait when everything depends on when other calls end, which is unknown. */
const guessedWaitMs = 1_000

/** What a granted call reserves. */
type Taken = Amounts & { readonly requests: 1 }

/** One limit and its state. */
interface Gauge {
  readonly name: LimitName
  readonly of: keyof Taken
  readonly limit: number
  readonly used: number
  /** Milliseconds until `amount` of what is used is free again. */
  readonly wait: (amount: number) => number
  /** Milliseconds until the limit is fully available again, after the call was admitted or refused. */
  readonly reset: (granted: boolean) => number | undefined
}

/**
 * Whether a call fits into all limits of its key. It fits if the least it needs is left; it then reserves the most it
 * can use, or all that is left if that is less. So together, calls never exceed a limit, however many run in parallel,
 * except by what one of them uses beyond what was left for it.
 */
export function decide(limits: KeyLimits, counts: Counts, demand: Demand, nowMs: number): Decision {
  const gauges = gaugesOf(limits, counts, nowMs)
  const least = { requests: 1, tokens: demand.tokens.least, images: demand.images.least }
  const full = gauges.filter(({ of, used, limit }) => least[of] > 0 && used + least[of] > limit)
  if (full.length > 0) {
    const refusals = full.map((gauge) => refusalOf(gauge, least[gauge.of]))
    const refusal = refusals.reduce((a, b) => (longestWait(b) > longestWait(a) ? b : a))
    const standings = gauges.map((gauge) => standingOf(gauge, undefined))
    return { granted: false, refusal, standings }
  }
  const reserved = {
    tokens: setAside(gauges, 'tokens', demand.tokens.most),
    images: setAside(gauges, 'images', demand.images.most),
  }
  const standings = gauges.map((gauge) => standingOf(gauge, { requests: 1, ...reserved }))
  return { granted: true, standings, reserved }
}

function gaugesOf(limits: KeyLimits, counts: Counts, nowMs: number): Gauge[] {
  const ofMinute = (counted: readonly Counted[]) => ({
    used: sumOf(counted),
    wait: (amount: number) => msUntilFree(counted, amount, nowMs),
    reset: (granted: boolean) =>
      granted ? msUntilGone(secondOf(nowMs), nowMs) : msUntilFree(counted, Infinity, nowMs),
  })
  const untilTomorrow = () => msUntilNextDay(nowMs)
  const ofDay = (used: number) => ({ used, wait: untilTomorrow, reset: untilTomorrow })
  const whileRunning = { wait: () => guessedWaitMs, reset: () => undefined }
  const parts: Record<LimitName, Omit<Gauge, 'name' | 'of' | 'limit'>> = {
    requestsPerMinute: ofMinute(counts.requests),
    concurrentRequests: { used: counts.running, ...whileRunning },
    tokensPerMinute: ofMinute(counts.tokens),
    tokensPerDay: ofDay(counts.tokensToday),
    imagesPerDay: ofDay(counts.imagesToday),
  }
  return (Object.keys(parts) as LimitName[]).flatMap((name) => {
    const limit = limits[name]
    return limit === undefined ? [] : [{ name, of: unitOf[name], limit, ...parts[name] }]
  })
}

function standingOf({ name, of, limit, used, reset }: Gauge, taken: Taken | undefined): Standing {
  const remaining = Math.max(0, limit - used - (taken?.[of] ?? 0))
  return { name, limit, remaining, resetMs: reset(taken !== undefined) }
}

function refusalOf({ name, limit, used, wait }: Gauge, needed: number): Refusal {
  const waitMs = needed > limit ? undefined : wait(used + needed - limit)
  return { name, limit, used, needed, waitMs }
}

function longestWait({ waitMs }: Refusal): number {
  return waitMs ?? Infinity
}

function setAside(gauges: readonly Gauge[], of: 'tokens' | 'images', most: number): number {
  const left = gauges.filter((gauge) => gauge.of === of).map(({ limit, used }) => limit - used)
  return Math.max(0, Math.min(most, ...left))
}

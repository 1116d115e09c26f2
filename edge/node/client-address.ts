import ipaddr from 'ipaddr.js'
import * as z from 'zod'
import { isLoopback } from '../../shared/network/client-network.ts'
import type { Standing } from '../../shared/node/connections/connection-share.ts'
import { listItems } from '../../shared/settings/list.ts'

type Range = readonly [ipaddr.IPv4 | ipaddr.IPv6, number]

/** Proxies whose `X-Forwarded-For` is trusted. */
export type ProxyRanges = readonly Range[]

/** Addresses and networks (`10.0.0.0/8`), separated by commas. */
export const proxiesSetting = z
  .string()
  .default('')
  .transform((text) => listItems(text).map(rangeOf))
  .refine((ranges): ranges is Range[] => !ranges.includes(undefined), {
    error: 'expected addresses or networks, separated by commas, such as 127.0.0.1,10.0.0.0/8',
  })

/**
 * Where a request comes from: the address at the other end of the connection, or, if that is a trusted proxy, the
 * address it forwards for. Every proxy appends its peer on the right, so the list is read from there, and only as
 * long as the proxies in it are trusted: anything further left may be forged.
 * @param peer address at the other end of the connection
 * @param forwardedFor the header `X-Forwarded-For`
 */
export function clientAddress(
  peer: string,
  forwardedFor: string | undefined,
  trusted: ProxyRanges,
): string {
  let address = normal(peer) ?? peer
  const hops = trusted.length === 0 ? [] : (forwardedFor ?? '').split(',')
  while (hops.length > 0 && isTrusted(address, trusted)) {
    const next = normal(withoutPort(hops.pop()!.trim()))
    if (next === undefined) break
    address = next
  }
  return address
}

/**
 * What the other end of a connection represents. A loopback address may be a proxy on this machine that nobody named:
 * it is not held to the share of one client, but neither can it keep its idle connections from others.
 */
export function peerStanding(address: string, trusted: ProxyRanges): Standing {
  if (isTrusted(address, trusted)) return 'proxy'
  return isLoopback(address) ? 'many' : 'client'
}

function rangeOf(text: string): Range | undefined {
  try {
    if (text.includes('/')) return ipaddr.parseCIDR(text)
    const address = ipaddr.process(text)
    return [address, address.kind() === 'ipv4' ? 32 : 128]
  } catch {
    return undefined
  }
}

function isTrusted(address: string, trusted: ProxyRanges): boolean {
  if (!ipaddr.isValid(address)) return false
  const parsed = ipaddr.process(address)
  return trusted.some(
    ([range, bits]) => parsed.kind() === range.kind() && parsed.match([range, bits]),
  )
}

/** One spelling per address; undefined if it is not an address. */
function normal(text: string): string | undefined {
  // Some programs accept numbers and shortened forms as addresses, but no proxy writes them.
  const isUsual = text.includes(':') || /^\d+\.\d+\.\d+\.\d+$/.test(text)
  return isUsual && ipaddr.isValid(text) ? ipaddr.process(text).toString() : undefined
}

/** Some proxies add the port: `192.0.2.1:4711`, `[2001:db8::1]:4711`. */
function withoutPort(text: string): string {
  const match = /^(?:\[([^\]]*)\](?::\d+)?|(\d+\.\d+\.\d+\.\d+):\d+)$/.exec(text)
  return match?.[1] ?? match?.[2] ?? text
}

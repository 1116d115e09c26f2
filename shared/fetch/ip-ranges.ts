import ipaddr from 'ipaddr.js'

/** IPv4 blocks that are never fetched from: every IANA special-purpose block, multicast, and one cloud endpoint. */
const refusedIpv4 = blocks([
  '0.0.0.0/8',
  '10.0.0.0/8',
  '100.64.0.0/10',
  '127.0.0.0/8',
  // Azure's platform endpoint: a public address, but reachable only from inside a virtual machine.
  '168.63.129.16/32',
  '169.254.0.0/16',
  '172.16.0.0/12',
  '192.0.0.0/24',
  '192.0.2.0/24',
  '192.31.196.0/24',
  '192.52.193.0/24',
  '192.88.99.0/24',
  '192.168.0.0/16',
  '192.175.48.0/24',
  '198.18.0.0/15',
  '198.51.100.0/24',
  '203.0.113.0/24',
  '224.0.0.0/4',
  '240.0.0.0/4',
])

/** The only IPv6 space in public use. Loopback, ULA, link-local, NAT64 and v4-compatible forms lie outside it. */
const globalIpv6 = blocks(['2000::/3'])

/** Special-purpose blocks inside it: Teredo and the like, documentation, 6to4, AS112. */
const refusedIpv6 = blocks([
  '2001::/23',
  '2001:db8::/32',
  '2002::/16',
  '2620:4f:8000::/48',
  '3fff::/20',
])

/**
 * Whether an image may be fetched from this address: only from global unicast addresses. A v4-mapped address is
 * judged as its IPv4 address. Anything that is not a plain address (a name, a zone id) is refused.
 */
export function addressAllowed(address: string): boolean {
  if (!ipaddr.isValid(address) || address.includes('%')) return false
  const parsed = ipaddr.process(address)
  if (parsed instanceof ipaddr.IPv4) {
    // isValid() also accepts octal, hexadecimal and short forms, which other parsers read differently.
    if (!address.includes(':') && address !== parsed.toString()) return false
    return !inside(parsed, refusedIpv4)
  }
  return inside(parsed, globalIpv6) && !inside(parsed, refusedIpv6)
}

type Address = ipaddr.IPv4 | ipaddr.IPv6
type Block = [Address, number]

function blocks(cidrs: readonly string[]): Block[] {
  return cidrs.map((cidr) => ipaddr.parseCIDR(cidr))
}

function inside(address: Address, list: readonly Block[]): boolean {
  return list.some(([network, bits]) => address.match(network, bits))
}

import ipaddr from 'ipaddr.js'

/** Groups of an IPv6 address that identify one customer: networks assign at least 64 bits. */
const networkGroups = 4

/**
 * What counts as one client: an IPv4 address, in whatever form it arrives, an IPv6 network, or an address of the link. The
 * network of translated addresses is shared by all of IPv4, and that of link-local ones by everyone on every link.
 */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed instanceof ipaddr.IPv4) return parsed.toString()
  const [, first = 0, second = 0] = parsed.parts
  const [last = 0, veryLast = 0] = parsed.parts.slice(-2)
  switch (parsed.range()) {
    case 'linkLocal':
      // With its zone: neighbours on two links may have the same one.
      return parsed.toNormalizedString()
    case 'rfc6145':
      return ipv4Of(last, veryLast)
    case 'rfc6052':
      // In the network for local use (RFC 8215), each translator has its own place for the IPv4 address.
      return second === 0 ? ipv4Of(last, veryLast) : parsed.toNormalizedString()
    case '6to4':
      return ipv4Of(first, second)
    case 'teredo':
      // The last 32 bits are the client's address with every bit inverted (RFC 4380).
      return ipv4Of(last ^ 0xffff, veryLast ^ 0xffff)
    default:
      return networkText(parsed.parts)
  }
}

/** True for this machine itself: its operator, or a reverse proxy with guards of its own. */
export function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback'
}

/** @param high and @param low 16 bits each */
function ipv4Of(high: number, low: number): string {
  return [high >> 8, high & 0xff, low >> 8, low & 0xff].join('.')
}

function networkText(groups: readonly number[]): string {
  const texts = groups.slice(0, networkGroups).map((group) => group.toString(16))
  return `${texts.join(':')}::`
}

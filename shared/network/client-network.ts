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
  return networkByRange[parsed.range()]?.(parsed) ?? networkText(parsed.parts)
}

/** What counts as one client where a network does not. */
const networkByRange: Partial<Record<string, (address: ipaddr.IPv6) => string>> = {
  // With its zone: neighbours on two links may have the same one.
  linkLocal: (address) => address.toNormalizedString(),
  rfc6145: (address) => ipv4At(address, 6),
  // In the network for local use (RFC 8215), each translator has its own place for the IPv4 address.
  rfc6052: (address) =>
    address.parts[2] === 0 ? ipv4At(address, 6) : address.toNormalizedString(),
  '6to4': (address) => ipv4At(address, 1),
  // The client's address with every bit inverted (RFC 4380).
  teredo: (address) => ipv4At(address, 6, 0xffff),
}

/** True for this machine itself: its operator, or a reverse proxy with guards of its own. */
export function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback'
}

/** The IPv4 address in two groups of an IPv6 address. @param inverted the bits of each group that are */
function ipv4At({ parts }: ipaddr.IPv6, group: number, inverted = 0): string {
  const groups = parts.slice(group, group + 2).map((part) => part ^ inverted)
  return groups.flatMap((part) => [part >> 8, part & 0xff]).join('.')
}

function networkText(groups: readonly number[]): string {
  const texts = groups.slice(0, networkGroups).map((group) => group.toString(16))
  return `${texts.join(':')}::`
}

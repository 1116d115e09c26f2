import ipaddr from 'ipaddr.js'

/** Groups of an IPv6 address that identify one customer: networks assign at least 64 bits. */
const networkGroups = 4

/** What counts as one client: an IPv4 address, or an IPv6 network. */
export function networkOf(address: string): string {
  if (!ipaddr.isValid(address)) return address
  const parsed = ipaddr.process(address)
  if (parsed instanceof ipaddr.IPv4) return parsed.toString()
  return `${parsed.parts
    .slice(0, networkGroups)
    .map((part) => part.toString(16))
    .join(':')}::`
}

/** True for this machine itself: its operator, or a reverse proxy with guards of its own. */
export function isLoopback(address: string): boolean {
  return ipaddr.isValid(address) && ipaddr.process(address).range() === 'loopback'
}

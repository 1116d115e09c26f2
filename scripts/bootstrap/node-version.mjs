/**
 * The oldest Node the product runs on: it understands TypeScript and has SQLite. package.json's "engines" names the oldest
 * that this folder runs on, which then fetches a newer one.
 */
const oldest = [24, 0, 0]

/** @param {string} version such as `20.18.1` */
export function isSupported(version) {
  const parts = version.split('.').map(Number)
  const difference =
    oldest.map((part, index) => (parts[index] ?? 0) - part).find((d) => d !== 0) ?? 0
  return difference >= 0
}

/**
 * The oldest Node the product runs on: the first to run TypeScript and to include SQLite by default. package.json's
 * "engines" names the oldest Node that can run this folder, which then fetches a newer one.
 */
const oldest = [24, 0, 0]

/** @param {string} version such as `20.18.1` */
export function isSupported(version) {
  const parts = version.split('.').map(Number)
  const difference =
    oldest.map((part, index) => (parts[index] ?? 0) - part).find((d) => d !== 0) ?? 0
  return difference >= 0
}

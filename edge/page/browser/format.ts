/** `43 ms`, `1.2 s`. */
export function duration(ms: number): string {
  if (ms < 1) return '0 ms'
  return ms < 1_000 ? `${Math.round(ms)} ms` : `${(ms / 1_000).toFixed(1)} s`
}

/** `1 token`, `22 tokens`. */
export function counted(count: number, unit: string): string {
  return `${count.toLocaleString('en')} ${unit}${count === 1 ? '' : 's'}`
}

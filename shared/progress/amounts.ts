const byteUnits = ['bytes', 'kB', 'MB', 'GB', 'TB'] as const

/** For people, in powers of ten as disks are sold: `999 bytes`, `1.5 kB`, `17.4 GB`. */
export function formatBytes(bytes: number): string {
  let value = bytes
  let unit = 0
  // A value that would round up to 1,000 belongs to the next unit.
  while (value >= (unit === 0 ? 1_000 : 999.5) && unit < byteUnits.length - 1) {
    value /= 1_000
    unit += 1
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : 1
  return `${value.toFixed(digits)} ${byteUnits[unit]}`
}

/** For people: `0 s`, `59 s`, `3 min 20 s`, `2 h 5 min`. */
export function formatSeconds(seconds: number): string {
  const whole = Math.round(seconds)
  const [minutes, hours] = [Math.floor(whole / 60), Math.floor(whole / 3_600)]
  if (minutes === 0) return `${whole} s`
  if (hours === 0) return `${minutes} min ${whole % 60} s`
  return `${hours} h ${minutes % 60} min`
}

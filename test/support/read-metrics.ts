/** Prometheus' text format by series, as `name{label="value"}`: what a scraper would see. */
export function readMetrics(text: string): ReadonlyMap<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ')
      return [line.slice(0, end), Number(line.slice(end + 1))]
    }),
  )
}

/** Sum of all series of a metric. */
export function sumOf(metrics: ReadonlyMap<string, number>, name: string): number {
  return [...metrics]
    .filter(([series]) => series === name || series.startsWith(`${name}{`))
    .reduce((sum, [, value]) => sum + value, 0)
}

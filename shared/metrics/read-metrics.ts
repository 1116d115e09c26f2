/** Values by series, as `name{label="value"}`. */
export type Metrics = ReadonlyMap<string, number>

/** Reads Prometheus' text format: what a scraper would see. */
export function readMetrics(text: string): Metrics {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const end = line.lastIndexOf(' ')
      return [line.slice(0, end), Number(line.slice(end + 1))]
    }),
  )
}

/** Sum of all series of a metric; of those only that contain `label`, if given, as `name="value"`. */
export function sumOf(metrics: Metrics, name: string, label = ''): number {
  return [...metrics]
    .filter(([series]) => series === name || series.startsWith(`${name}{`))
    .filter(([series]) => series.includes(label))
    .reduce((sum, [, value]) => sum + value, 0)
}

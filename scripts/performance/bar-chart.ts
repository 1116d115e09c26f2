/** A measured value, or the range over several runs. */
export type Measured = number | readonly [low: number, high: number]

export interface BarChart {
  readonly title: string
  readonly unit: string
  /** Names of the bars in each group, in order. */
  readonly series: readonly string[]
  readonly groups: readonly {
    readonly name: string
    /** One per series; undefined where nothing was measured. */
    readonly values: readonly (Measured | undefined)[]
  }[]
}

/** Pixels. */
const layout = { width: 760, labels: 190, numbers: 90, top: 64, bar: 16, gap: 3, group: 12 }

/** Readable on light and dark pages, and distinguishable with colour blindness. */
const colours = ['#4477aa', '#ee8866', '#44bb99', '#aa4499']

const style = `
  text { font: 13px system-ui, sans-serif; fill: #333 }
  .title { font-size: 15px; font-weight: 600 }
  .value { font-size: 12px }
  .span { stroke: #333; stroke-width: 1.5 }
  @media (prefers-color-scheme: dark) { text { fill: #ddd } .span { stroke: #ddd } }`

/**
 * The chart as SVG: horizontal bars in groups. A range is drawn as a bar up to its middle with a line from end to
 * end.
 */
export function drawBarChart(chart: BarChart): string {
  const shown = chart.groups.map(({ name, values }) => ({
    name,
    bars: values.flatMap((value, series) => (value === undefined ? [] : [{ value, series }])),
  }))
  const scale = largest(chart)
  const parts: string[] = []
  let y = layout.top
  for (const { name, bars } of shown) {
    const height = bars.length * (layout.bar + layout.gap)
    parts.push(text(layout.labels - 8, y + height / 2 + 3, name, 'text-anchor="end"'))
    for (const { value, series } of bars) {
      parts.push(drawBar(value, scale, y, colours[series % colours.length]!))
      y += layout.bar + layout.gap
    }
    y += layout.group
  }
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${layout.width} ${y}" width="${layout.width}" height="${y}" role="img">`,
    `<title>${escape(`${chart.title}, ${chart.unit}`)}</title>`,
    `<style>${style}\n</style>`,
    text(8, 20, `${chart.title}, ${chart.unit}`, 'class="title"'),
    ...drawLegend(chart.series),
    ...parts,
    '</svg>\n',
  ].join('\n')
}

function drawLegend(series: readonly string[]): string[] {
  let x = 8
  return series.map((name, index) => {
    const entry = `<rect x="${x}" y="34" width="12" height="12" fill="${colours[index % colours.length]!}"/>${text(x + 18, 45, name)}`
    x += 18 + name.length * 8 + 24
    return entry
  })
}

function drawBar(value: Measured, scale: number, y: number, colour: string): string {
  const room = layout.width - layout.labels - layout.numbers
  const pixels = (amount: number) => Math.round((amount / scale) * room)
  const [low, high] = typeof value === 'number' ? [value, value] : value
  const end = layout.labels + pixels((low + high) / 2)
  const middle = y + layout.bar / 2
  const bar = `<rect x="${layout.labels}" y="${y}" width="${end - layout.labels}" height="${layout.bar}" fill="${colour}"/>`
  const [from, to] = [layout.labels + pixels(low), layout.labels + pixels(high)]
  const span =
    low === high ? '' : `<line class="span" x1="${from}" y1="${middle}" x2="${to}" y2="${middle}"/>`
  const label = low === high ? String(low) : `${low} - ${high}`
  return `${bar}${span}${text(to + 6, middle + 4, label, 'class="value"')}`
}

function largest({ groups }: BarChart): number {
  const ends = groups.flatMap(({ values }) =>
    values.map((value) => (typeof value === 'object' ? value[1] : (value ?? 0))),
  )
  return Math.max(...ends, Number.MIN_VALUE)
}

function text(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}" ${attributes}>${escape(content)}</text>`
}

function escape(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&quot;')
}

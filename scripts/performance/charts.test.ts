import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { drawBarChart } from './bar-chart.ts'
import { chartsOf } from './charts.ts'

const document = readFileSync('docs/performance.md', 'utf8')

describe('docs/charts', () => {
  const charts = Object.entries(chartsOf(document))

  it('holds the charts of docs/performance.md and no others', () => {
    expect(readdirSync('docs/charts').toSorted()).toEqual(charts.map(([file]) => file).toSorted())
    for (const [file] of charts) expect(document).toContain(`(charts/${file})`)
  })

  it.each(charts)('%s shows what the tables say', (file, chart) => {
    expect(readFileSync(`docs/charts/${file}`, 'utf8')).toBe(drawBarChart(chart))
  })
})

describe('drawBarChart()', () => {
  it('draws bars in proportion, spans by their ends, and leaves out what was not measured', () => {
    const svg = drawBarChart({
      title: 'A <title>',
      unit: 'ms',
      series: ['a', 'b'],
      groups: [
        { name: 'first', values: [10, [20, 40]] },
        { name: 'second', values: [undefined, 20] },
      ],
    })
    const widths = [...svg.matchAll(/<rect x="190"[^>]* width="(\d+)"/g)].map(([, width]) =>
      Number(width),
    )
    expect(widths).toEqual([120, 360, 240])
    expect(svg.match(/class="span"/g)).toHaveLength(1)
    expect(svg).toContain('A &lt;title>, ms')
  })
})

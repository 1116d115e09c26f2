import { once } from 'node:events'
import { Counter, Registry } from 'prom-client'
import { describe, expect, it, onTestFinished } from 'vitest'
import { listenForMetrics, metricsAnswer } from './metrics-server.ts'

async function listening() {
  const registry = new Registry()
  new Counter({ name: 'seen_total', help: 'Seen', registers: [registry] }).inc(3)
  const answers = new Map([['/metrics', () => metricsAnswer(registry)]])
  const { server, port } = await listenForMetrics({ port: 0, host: '127.0.0.1' }, answers)
  onTestFinished(async () => {
    server.close()
    server.closeAllConnections()
    await once(server, 'close')
  })
  return { port, url: `http://127.0.0.1:${port}` }
}

describe('listenForMetrics()', () => {
  it('answers its paths, GET and HEAD, and nothing else', async () => {
    const { url } = await listening()
    const metrics = await fetch(`${url}/metrics?whatever=1`)
    expect(metrics.headers.get('content-type')).toMatch(/^text\/plain; version=0\.0\.4/)
    expect(await metrics.text()).toContain('\nseen_total 3\n')
    const statuses = [
      await fetch(`${url}/metrics`, { method: 'HEAD' }),
      await fetch(`${url}/metrics`, { method: 'POST', body: 'x' }),
      await fetch(`${url}/generate/text`),
    ].map(({ status }) => status)
    expect(statuses).toEqual([200, 405, 404])
  })

  it('names the address that is taken', async () => {
    const { port } = await listening()
    const again = listenForMetrics({ port, host: '127.0.0.1' }, new Map())
    await expect(again).rejects.toThrow(`Cannot listen for metrics on 127.0.0.1:${port}: `)
  })
})

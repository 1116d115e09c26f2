import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { afterEach, describe, expect, it } from 'vitest'
import { everyAddressHere, hasPublicNetwork, networkOf } from '../support/network/public-network.ts'
import { eventually } from './eventually.ts'
import { endLaunch, startProduct, type Product } from './product.ts'

/**
 * Listens where telemetry, updates and names would be asked for: whatever host they are on, they arrive here. Prints a
 * line for each connection, and for each packet to a name server.
 */
const witness = `
  const ports = [80, 443, 53, 853, 4317, 4318, 8080, 8443, 9418]
  for (const port of ports) require('node:net').createServer((socket) => {
    console.log('tcp ' + socket.localAddress + ' ' + port); socket.destroy()
  }).listen(port, '0.0.0.0')
  const names = require('node:dgram').createSocket('udp4')
  names.on('message', (packet) => console.log('name ' + packet.subarray(12, packet.indexOf(0, 12)).toString('latin1').replaceAll(/[^a-z0-9-]/gi, '.'))).bind(53, '0.0.0.0', () => console.log('listening'))`

let product: Product
let watcher: ChildProcess
afterEach(async () => {
  watcher.kill()
  await endLaunch(product)
})

/** Runs a script in the network of the product. @returns what it printed */
async function inside(script: string): Promise<string> {
  const prefix = networkOf(product.child.pid!)
  const child = spawn('nsenter', [...prefix, process.execPath, '--input-type=module', '-e', script])
  let printed = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => (printed += text))
  await once(child, 'close')
  return printed
}

describe.skipIf(!hasPublicNetwork()).each(['worker', 'node'])(
  'without internet, EDGE=%s',
  (edge) => {
    it('starts, answers, stops, and connects to nobody', async () => {
      // The witness first, so that nothing of the start is missed.
      const holder = spawn(everyAddressHere[0]!, [
        ...everyAddressHere.slice(1),
        process.execPath,
        '-e',
        witness,
      ])
      watcher = holder
      let seen = ''
      holder.stdout.setEncoding('utf8').on('data', (text: string) => (seen += text))
      await eventually(() => seen.includes('listening'))
      product = await startProduct({ EDGE: edge }, ['nsenter', ...networkOf(holder.pid!)])
      const ask = `
      const form = new FormData()
      form.set('prompt', 'Describe this image.')
      form.set('temperature', '0')
      const { readFileSync } = await import('node:fs')
      form.set('images', new Blob([readFileSync('test/golden/images/g01.png')]), 'a.png')
      const headers = { 'x-api-key': ${JSON.stringify(product.apiKey)} }
      const answer = await fetch('${product.url}/generate/image', { method: 'POST', headers, body: form })
      console.log((await answer.json()).output)`
      expect(await inside(ask)).toContain('A large red circle')
      // What is done in the background has time to be seen.
      await delay(2_000)
      expect(seen).toBe('listening\n')
      // The witness would have seen it.
      await inside(`await fetch('http://93.184.216.34/').catch(() => undefined)`)
      await eventually(() => seen.includes('tcp 93.184.216.34 80'))
      seen = ''
      product.child.kill('SIGTERM')
      expect(await product.ended).toBe(0)
      expect(seen).toBe('')
    })
  },
)

import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  hasPublicNetwork,
  networkOf,
  publicAddress,
  publicNetwork,
} from '../support/network/public-network.ts'
import { endLaunch, startProduct, type Product } from './product.ts'

/** Serves test/golden/images, and the scene in files of all types; /moved redirects to a private address. */
const pictureServer = `
  require('node:http').createServer((request, response) => {
    if (request.url === '/moved') response.writeHead(302, { location: 'http://127.0.0.1/g01.png' }).end()
    else require('node:fs').createReadStream('test/' + (/tif$/.test(request.url) ? 'cases/files' : 'golden/images') + request.url)
      .on('error', () => response.writeHead(404).end()).pipe(response)
  }).listen(80, '${publicAddress}', () => console.log('listening'))`

const run = promisify(execFile)
const scene =
  'A large blue circle at the top left and a large red triangle at the bottom right on a white background.'
const redCircle = 'A large red circle in the center on a white background.'

describe.skipIf(!hasPublicNetwork()).each(['worker', 'node'])('image_url with EDGE=%s', (edge) => {
  let product: Product
  let pictures: ChildProcess
  let inside: readonly string[]
  beforeAll(async () => {
    product = await startProduct({ EDGE: edge }, publicNetwork)
    inside = networkOf(product.child.pid!)
    pictures = spawn('nsenter', [...inside, process.execPath, '-e', pictureServer])
    await once(pictures.stdout!, 'data')
  })
  afterAll(async () => {
    pictures.kill()
    await endLaunch(product)
  })

  describe.each(['edge', 'backend'] as const)('through the %s', (way) => {
    const describeUrl = async (...curlArguments: string[]) => {
      const certificate = (name: string) => join(product.stateDir, 'certs', name)
      const access =
        way === 'edge'
          ? [`-Hx-api-key: ${product.apiKey}`]
          : [
              '--cacert',
              certificate('ca.pem'),
              '--cert',
              certificate('client.pem'),
              '--key',
              certificate('client-key.pem'),
            ]
      const url = `${way === 'edge' ? product.url : product.backendUrl}/generate/image_url`
      const curl = ['curl', '--silent', '--show-error', ...access, ...curlArguments, url]
      return (await run('nsenter', [...inside, ...curl])).stdout
    }
    const form = (...urls: string[]) =>
      [
        'prompt=Describe this image.',
        'temperature=0',
        ...urls.map((url) => `image_url=${url}`),
      ].map((field) => `-F${field}`)
    const json = (fields: object) => [
      '-Hcontent-type: application/json',
      `-d${JSON.stringify(fields)}`,
    ]
    const picture = (name: string) => `http://${publicAddress}/${name}`

    it('describes the picture behind a URL', async () => {
      const answer = await describeUrl(...form(picture('g01.png')))
      expect(JSON.parse(answer)).toMatchObject({ output: redCircle, finish_reason: 'stop' })
    })

    it('takes JSON, with several URLs in their order', async () => {
      const answer = await describeUrl(
        ...json({
          prompt: 'Describe both images.',
          temperature: 0,
          image_url: [picture('g01.png'), picture('g02.png')],
        }),
      )
      const { output } = JSON.parse(answer) as { output: string }
      expect(output).toMatch(/^Image 1: A large red circle .* Image 2: A small yellow star /)
    })

    it('streams', async () => {
      const stream = await describeUrl(...form(picture('g01.png')), '-Fstream=true')
      expect(stream).toMatch(/^event: end$/m)
      const deltas = [...stream.matchAll(/^event: delta\ndata: (.*)$/gm)]
      const texts = deltas.map(([, data]) => (JSON.parse(data!) as { text: string }).text)
      expect(texts.join('')).toBe(redCircle)
    })

    it.each(['scene.tif', 'by_url_jpeg.tif', 'by_url_bigtiff.tif'])('takes %s', async (name) => {
      const { output } = JSON.parse(await describeUrl(...form(picture(name)))) as { output: string }
      expect(output).toBe(scene)
    })

    it.each([
      ['missing.png', 'image_fetch_failed'],
      ['moved', 'image_url_refused'],
    ])('answers /%s with %s', async (name, code) => {
      const answer = await describeUrl(...form(picture(name)))
      expect(JSON.parse(answer)).toMatchObject({ error: { code } })
    })
  })
})

import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { HttpOptions_Style, Miniflare, type Request, type Response } from 'miniflare'
import { parse } from 'smol-toml'
import type { CopyNamespace } from '../../../edge/keys/key-copies.ts'
import { publicInternet } from '../../../scripts/start/networks.ts'
import { authorityName, breakableAuthority } from './breakable-authority.ts'
import type { EdgeSettings, RunningEdge } from '../suites/edge-suite.ts'

const bundle = 'dist/worker/worker.js'

interface Wrangler {
  readonly compatibility_date: string
  readonly compatibility_flags: string[]
  readonly vars: Record<string, string>
  readonly kv_namespaces: { binding: string; id: string }[]
  readonly ratelimits: {
    name: string
    namespace_id: string
    simple: { limit: number; period: 10 | 60 }
  }[]
  readonly durable_objects: { readonly bindings: { name: string; class_name: string }[] }
}

interface WorkerdOptions {
  /** Answers the Worker's requests to the internet; by default only what workerd lets through is reachable. */
  readonly internet?: (request: Request) => Response
  /** Host and port of an HTTP proxy that answers instead; it receives whole URLs, even for https. */
  readonly internetProxy?: string
  /** Workers that share the first one's Durable Objects, like the isolates of a deployment. */
  readonly isolates?: number
  /** Puts the key authority where `breakAuthority` can reach it. */
  readonly breakableAuthority?: boolean
  /** Folder of the Durable Objects' databases. */
  readonly persist?: string
  /** Variables in addition to those of wrangler.toml. */
  readonly vars?: Record<string, string>
}

interface RunningWorkerd extends RunningEdge {
  /** One for each isolate. */
  readonly urls: readonly string[]
  breakAuthority(broken: boolean): Promise<void>
  /** The copies of key records, as all isolates see them. */
  keyCopies(): Promise<CopyNamespace>
}

/** The Worker's bundle in a real workerd, with a real client certificate. */
export async function startWorkerd(
  settings: EdgeSettings,
  { isolates = 1, ...options }: WorkerdOptions = {},
): Promise<RunningWorkerd> {
  const wrangler = parse(await readFile('wrangler.toml', 'utf8')) as unknown as Wrangler
  let output = ''
  const names = Array.from({ length: isolates }, (_, index) => `edge-${index}`)
  const authority = options.breakableAuthority
    ? [await breakableAuthority(bundle, wrangler.kv_namespaces[0]!.id)]
    : []
  const miniflare = new Miniflare({
    cf: false,
    host: '127.0.0.1',
    port: 0,
    ...(options.persist !== undefined && {
      durableObjectsPersist: options.persist,
      kvPersist: join(options.persist, 'kv'),
    }),
    handleRuntimeStdio(...streams: Readable[]) {
      for (const stream of streams) {
        stream.setEncoding('utf8').on('data', (text: string) => (output += text))
      }
    },
    workers: [
      ...names.map((name) => workerOptions(name, names[0]!, wrangler, settings, options)),
      ...authority,
    ],
  })
  const urls = await Promise.all(names.map((name) => miniflare.unsafeGetDirectURL(name)))
  return {
    url: urls[0]!.origin,
    urls: urls.map((url) => url.origin),
    output: () => output,
    async breakAuthority(broken) {
      const url = await miniflare.unsafeGetDirectURL(authorityName)
      await fetch(new URL(broken ? '/break' : '/mend', url))
    },
    keyCopies: () => miniflare.getKVNamespace('KEYS', names[0]),
    stop: () => miniflare.dispose(),
  }
}

interface DurableObject {
  readonly className: string
  readonly scriptName: string
  readonly useSQLite: boolean
}

function workerOptions(
  name: string,
  ownerOfObjects: string,
  wrangler: Wrangler,
  { apiKey, backendUrl, certificates }: EdgeSettings,
  { internet, internetProxy, vars, breakableAuthority: isBreakable }: WorkerdOptions,
) {
  const objects = wrangler.durable_objects.bindings.map((binding): [string, DurableObject] => [
    binding.name,
    {
      className: binding.class_name,
      scriptName: isBreakable && binding.name === 'KEY_AUTHORITY' ? authorityName : ownerOfObjects,
      useSQLite: true,
    },
  ])
  return {
    name,
    modules: true as const,
    scriptPath: bundle,
    compatibilityDate: wrangler.compatibility_date,
    compatibilityFlags: wrangler.compatibility_flags,
    bindings: { ...wrangler.vars, BACKEND_URL: backendUrl, API_KEY: apiKey, ...vars },
    durableObjects: Object.fromEntries(objects),
    kvNamespaces: Object.fromEntries(
      wrangler.kv_namespaces.map(({ binding, id }) => [binding, id]),
    ),
    ratelimits: Object.fromEntries(
      wrangler.ratelimits.map(({ name: binding, ...limit }) => [binding, limit]),
    ),
    serviceBindings: {
      BACKEND: {
        network: {
          allow: ['local', 'private', 'public'],
          tlsOptions: {
            keypair: {
              privateKey: certificates.clientKey,
              certificateChain: certificates.client,
            },
            trustedCertificates: [certificates.ca],
            trustBrowserCas: false,
          },
        },
      },
    },
    outboundService: internet ?? internetBehind(internetProxy),
    unsafeDirectSockets: [{ host: '127.0.0.1', port: 0 }],
  }
}

function internetBehind(proxy: string | undefined) {
  return proxy === undefined
    ? publicInternet
    : { external: { address: proxy, http: { style: HttpOptions_Style.PROXY } } }
}

import type { Transport } from '../../shared/fetch/fetch-image.ts'

interface PublicWeb {
  readonly transport: Transport
  readonly close: () => Promise<void>
}

/** See `createPublicTransport`. The HTTP client is loaded for the first image with a URL, which many servers never see. */
export function createPublicWeb(): PublicWeb {
  let loading: Promise<PublicWeb> | undefined
  const load = async () => {
    const { createPublicTransport } = await import('../../shared/node/public-agent.ts')
    return createPublicTransport()
  }
  return {
    async transport(url, init) {
      loading ??= load()
      return (await loading).transport(url, init)
    },
    close: async () => (await loading)?.close(),
  }
}

import { startNanoEngine } from '../support/engines/nano-engine.ts'
import { endLaunch, startProduct, type Product } from './product.ts'

/** Ways to run the product: which edge, and whether the model runs in its backend or behind an engine's API. */
export const setups = [
  { edge: 'worker', engine: 'own' },
  { edge: 'node', engine: 'own' },
  { edge: 'node', engine: 'openai' },
] as const
type Setup = (typeof setups)[number]

export interface RunningSetup {
  readonly product: Product
  end(): Promise<void>
}

/** Starts the product, and an engine for it where it is to have none of its own: the same little model either way. */
export async function startSetup({ edge: EDGE, engine: ENGINE }: Setup): Promise<RunningSetup> {
  if (ENGINE === 'own') {
    // Here with as many threads as there are cores, unlike elsewhere.
    const product = await startProduct({ EDGE, THREADS: '' })
    return { product, end: () => endLaunch(product) }
  }
  const apiKey = 'of-the-engine'
  const engine = await startNanoEngine('vllm', { apiKey })
  const settings = { EDGE, ENGINE, ENGINE_URLS: `${engine.url}/v1`, ENGINE_API_KEY: apiKey }
  const product = await startProduct(settings)
  return {
    product,
    async end() {
      await endLaunch(product)
      await engine.stop()
    },
  }
}

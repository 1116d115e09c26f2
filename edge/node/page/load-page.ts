import { once } from 'node:events'
import { Worker } from 'node:worker_threads'
import type { PageFiles } from '../../page/page-files.ts'

/** Reads the pages when they are first requested; after a failure, tries again the next time. */
export function pageLoader(): () => Promise<PageFiles> {
  let loading: Promise<PageFiles> | undefined
  return () => {
    loading ??= load().catch((error: unknown) => {
      loading = undefined
      throw error
    })
    return loading
  }
}

/** In a separate thread: stripping types blocks for a quarter of a second at first. */
async function load(): Promise<PageFiles> {
  // Node warns that the function used for it is experimental.
  const options = { execArgv: ['--no-warnings'] }
  const worker = new Worker(new URL('page-worker.ts', import.meta.url), options)
  const [page] = (await once(worker, 'message')) as [PageFiles]
  return page
}

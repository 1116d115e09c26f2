import { fileURLToPath } from 'node:url'

/** The project's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where a newer Node is installed on machines with an older one. */
export const runtimeFolder = fileURLToPath(new URL('runtime', import.meta.url))

/** Compiled code of earlier runs, which makes programs start faster. */
export const compileCache = fileURLToPath(
  new URL('../../node_modules/.cache/compiled', import.meta.url),
)

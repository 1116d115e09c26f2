import { fileURLToPath } from 'node:url'

/** The project's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where a newer Node is installed on machines with an older one. */
export const runtimeFolder = fileURLToPath(new URL('runtime', import.meta.url))

import { fileURLToPath } from 'node:url'

/** The project's folder. */
export const root = fileURLToPath(new URL('../..', import.meta.url))

/** Where Node itself is installed for those who have an older one. */
export const runtimeFolder = fileURLToPath(new URL('runtime', import.meta.url))

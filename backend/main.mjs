// The backend's program. Imports are compiled before the file that has them runs, so the cache has to be opened in a file of its own.
import { keepCompiledCode } from '../shared/node/compile-cache.mjs'

keepCompiledCode()
await import('./run.ts')

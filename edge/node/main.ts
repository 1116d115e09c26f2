/** The edge's program on Node. Imports are compiled before a file runs: so what they are kept by comes first, in a file of its own. */
import { keepCompiledCode } from '../../shared/node/compile-cache.ts'

keepCompiledCode()
await import('./run.ts')

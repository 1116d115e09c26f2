// The first thing that `npm start`, `npm test` and all other scripts of package.json run. It makes sure that Node 24
// and the packages are there, then runs the program named by its first argument. Plain JavaScript on Node's own
// modules, so that any Node from 20 on can run it.
import { root } from './bootstrap/paths.mjs'
import { prepare } from './bootstrap/prepare.mjs'
import { runProgram } from './bootstrap/run-program.mjs'

/** For building, testing and measuring the product: these run in this folder and need all packages. */
const development = {
  bench: 'scripts/bench.ts',
  'bench-card': 'scripts/bench/card.ts',
  'bench-convert': 'scripts/bench/convert.ts',
  'bench-edge': 'scripts/bench/edge.ts',
  'bench-hostile': 'scripts/bench/hostile.ts',
  build: 'scripts/build/worker.ts',
  check: 'scripts/check.ts',
  deploy: 'scripts/deploy.ts',
  format: 'scripts/format.ts',
  kernels: 'scripts/kernels.ts',
  load: 'scripts/load.ts',
  outliers: 'scripts/outliers.ts',
  pack: 'scripts/pack.ts',
  page: 'scripts/build/page.ts',
  soak: 'scripts/soak.ts',
  start: 'scripts/start.ts',
  test: 'scripts/test.ts',
  wrangler: 'scripts/wrangler.ts',
}

/** The product itself: these run in the caller's folder, and production packages suffice. */
const production = {
  backend: 'backend/main.mjs',
  describe: 'cli/describe.ts',
  edge: 'edge/node/main.mjs',
}

const programs = { ...development, ...production }
const name = process.argv[2] ?? ''
if (!Object.hasOwn(programs, name)) {
  console.error(`Usage: node scripts/bootstrap.mjs ${Object.keys(programs).toSorted().join('|')}`)
  process.exit(1)
}
if (Object.hasOwn(development, name)) process.chdir(root)
await prepare({ withDevelopment: Object.hasOwn(development, name) })
await runProgram(programs[/** @type {keyof typeof programs} */ (name)], process.argv.slice(3))

// The command `describe-server` of an archive made by `npm run pack`: Node and packages are next to it, so nothing is
// checked or fetched.
import { root } from '../bootstrap/paths.mjs'
import { runProgram } from '../bootstrap/run-program.mjs'

const programs = {
  backend: 'backend/main.mjs',
  'bench-card': 'scripts/bench/card.ts',
  describe: 'cli/describe.ts',
  edge: 'edge/node/main.mjs',
  start: 'scripts/start.ts',
}

const name = process.argv[2] ?? ''
if (!Object.hasOwn(programs, name)) {
  console.error(`Usage: describe-server ${Object.keys(programs).join('|')} [arguments]`)
  process.exit(1)
}
if (name === 'start' || name === 'bench-card') process.chdir(root)
if (name === 'start') {
  // workerd, in which the Worker runs, is not in the archive.
  process.env['EDGE'] ??= 'node'
}
await runProgram(programs[/** @type {keyof typeof programs} */ (name)], process.argv.slice(3))

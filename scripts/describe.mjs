#!/usr/bin/env node
// The command `describe`. Plain JavaScript, so that it works before anything is installed and on an older Node.
import { prepare } from './bootstrap/prepare.mjs'
import { runProgram } from './bootstrap/run-program.mjs'

await prepare({ withDevelopment: false })
await runProgram('cli/describe.ts', process.argv.slice(2))

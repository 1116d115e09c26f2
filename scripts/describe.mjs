#!/usr/bin/env node
// The command `describe`. Plain JavaScript, so that it is there before anything is installed, and runs on an older Node.
import { prepare } from './bootstrap/prepare.mjs'
import { runProgram } from './bootstrap/run-program.mjs'

await prepare({ withDevelopment: false })
await runProgram('cli/describe.ts', process.argv.slice(2))

#!/usr/bin/env node
import { Command, CommanderError } from 'commander'
import packageJson from '../package.json' with { type: 'json' }
import { endWithOutput } from '../shared/node/process/end-with-output.ts'
import { fileErrorText } from '../shared/node/files/file-error.ts'
import { withDotEnv } from '../shared/node/settings/dot-env.ts'
import { certsCommand } from './certs-command.ts'
import { CliError } from './cli-error.ts'
import type { CliParts } from './cli-parts.ts'
import { folderCommand } from './folder/folder-command.ts'
import { keysCommand } from './keys-command.ts'
import { mcpCommand } from './mcp/mcp-command.ts'
import { programCommand } from './program-command.ts'

endWithOutput()

const parts: CliParts = {
  environment: withDotEnv(process.env, '.env'),
  fetch,
  print: (line) => void process.stdout.write(`${line}\n`),
  note: (line) => void process.stderr.write(`${line}\n`),
  now: () => Date.now(),
}

const program = new Command('describe')
  .enablePositionalOptions()
  .description(
    'Administer a describe server, describe a folder of pictures, or lend eyes to an agent',
  )
  .version(packageJson.version)
  .addHelpText(
    'after',
    `
Settings (environment or .env):
  DESCRIBE_URL      address of the edge; default: that of npm start
  DESCRIBE_API_KEY  a key with the scope admin, for folder with image, for mcp
                    with image and image_url; default: the one in
                    STATE_DIR/api-key`,
  )
  .addCommand(keysCommand(parts))
  .addCommand(certsCommand(parts))
  .addCommand(programCommand('model'))
  .addCommand(programCommand('engine'))
  .addCommand(programCommand('doctor'))
  .addCommand(folderCommand(parts))
  .addCommand(mcpCommand(parts))

try {
  await program.parseAsync()
} catch (error) {
  const isKnown = error instanceof CliError || error instanceof CommanderError
  const text = isKnown ? error.message : fileErrorText(error)
  if (text === undefined) throw error
  process.stderr.write(`${text}\n`)
  process.exitCode = 1
}

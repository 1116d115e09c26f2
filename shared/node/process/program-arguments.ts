import { Command } from 'commander'

/**
 * For programs that take their settings from the environment alone: answers `--help`, and ends with an error for all
 * other arguments, so that none is silently ignored.
 */
export function answerArguments(name: string, description: string): void {
  new Command(name)
    .description(description)
    .addHelpText('after', '\nSettings are read from the environment: see .env.example.')
    .showHelpAfterError()
    .allowExcessArguments(false)
    .parse()
}

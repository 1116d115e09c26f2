import { Command } from 'commander'

/** For commands without options: answers `--help`, and ends with an error for any other argument. */
export function takeNoArguments(name: string, description: string, given: readonly string[]): void {
  new Command(name)
    .description(description)
    .allowExcessArguments(false)
    .parse([...given], { from: 'user' })
}

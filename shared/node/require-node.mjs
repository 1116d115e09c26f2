/** The oldest version of Node that runs the programs. */
const leastNode = 24

/**
 * Ends a program that was started by itself on an older Node, before one of its imports fails with a stack trace. Plain
 * JavaScript without imports, so that any Node can run it.
 */
export function requireNode(version = process.versions.node) {
  if (Number(version.split('.')[0]) >= leastNode) return
  process.stderr.write(
    `This is Node ${version}; Describe Server runs on Node ${leastNode} or newer. Install it from https://nodejs.org, or use npm run backend and npm run edge, which fetch it.\n`,
  )
  process.exit(1)
}

// Asks one address, and ends with 0 if it answers 200: images without curl need nothing else for their health checks.
const answer = await fetch(process.argv[2] ?? '').catch(() => undefined)
process.exitCode = answer?.status === 200 ? 0 : 1

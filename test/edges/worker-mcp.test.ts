import { describeMcp } from '../support/mcp-suite.ts'
import { startWorkerd } from '../support/workerd-edge.ts'

describeMcp('Worker', (settings) => startWorkerd(settings))

import { describeMcp } from '../support/mcp-suite.ts'
import { startNodeEdge } from '../support/node-edge.ts'

describeMcp('Node', (settings) => startNodeEdge(settings))

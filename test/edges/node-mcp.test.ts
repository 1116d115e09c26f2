import { describeMcp } from '../support/suites/mcp-suite.ts'
import { startNodeEdge } from '../support/edges/node-edge.ts'

describeMcp('Node', (settings) => startNodeEdge(settings))

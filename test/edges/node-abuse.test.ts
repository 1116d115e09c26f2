import { describeAbuse } from '../support/abuse-suite.ts'
import { startNodeEdge } from '../support/node-edge.ts'

describeAbuse('Node', (settings, stateFolder) =>
  startNodeEdge(settings, { STATE_DIR: stateFolder }),
)

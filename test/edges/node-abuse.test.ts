import { describeAbuse, memoryBytes } from '../support/suites/abuse-suite.ts'
import { startNodeEdge } from '../support/edges/node-edge.ts'

describeAbuse('Node', (settings, stateFolder) =>
  startNodeEdge(settings, {
    STATE_DIR: stateFolder,
    EDGE_MEMORY_MB: String(memoryBytes / 2 ** 20),
  }),
)

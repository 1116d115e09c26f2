import { startNodeEdge } from '../support/node-edge.ts'
import { describePages } from '../support/page-suite.ts'
import { startWorkerd } from '../support/workerd-edge.ts'

describePages('Node', startNodeEdge)
describePages('Worker', (settings, vars) => startWorkerd(settings, { vars }))

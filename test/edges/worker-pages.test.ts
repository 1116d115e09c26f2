import { describePagesOfEdge } from '../support/page-suite.ts'
import { startWorkerd } from '../support/workerd-edge.ts'

describePagesOfEdge('Worker', (settings, vars) => startWorkerd(settings, { vars }))

import { describePagesOfEdge } from '../support/suites/page-suite.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'

describePagesOfEdge('Worker', (settings, vars) => startWorkerd(settings, { vars }))

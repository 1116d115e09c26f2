import { describeCors } from '../support/suites/cors-suite.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'

describeCors('Worker', (settings, vars) => startWorkerd(settings, { vars }))

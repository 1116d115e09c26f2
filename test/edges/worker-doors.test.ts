import { describeDoors } from '../support/suites/door-suite.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'

describeDoors('Worker', (settings) => startWorkerd(settings))

import { describeAbuse } from '../support/suites/abuse-suite.ts'
import { startWorkerd } from '../support/edges/workerd-edge.ts'

describeAbuse('Worker', (settings, persist) => startWorkerd(settings, { persist }))

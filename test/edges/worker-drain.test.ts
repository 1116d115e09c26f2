import { programs } from '../../scripts/support/programs.ts'
import { describeDrain } from '../support/suites/drain-suite.ts'

describeDrain('workerd', programs.workerEdge, { WORKER_BUNDLE: 'dist/worker/worker.js' })

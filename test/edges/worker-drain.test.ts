import { programs } from '../../scripts/programs.ts'
import { describeDrain } from '../support/drain-suite.ts'

describeDrain('workerd', programs.workerEdge, { WORKER_BUNDLE: 'dist/worker/worker.js' })

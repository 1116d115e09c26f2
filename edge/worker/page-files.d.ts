import type { PageFiles } from '../page/page-files.ts'

/** What scripts/build/page.ts makes; wrangler.toml says where it is, for types tsconfig.worker.json. */
declare const page: PageFiles
export default page

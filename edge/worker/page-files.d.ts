import type { PageFiles } from '../page/page-files.ts'

/** Made by scripts/build/page.ts; wrangler.toml says where it is, and tsconfig.worker.json where its types are. */
declare const page: PageFiles
export default page

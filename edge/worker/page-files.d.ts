/** Made by scripts/build-page.ts; wrangler.toml says where it is. */
declare module 'page-files' {
  const page: import('../page/page-files.ts').PageFiles
  export default page
}

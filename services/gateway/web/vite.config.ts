import { svelte } from '@sveltejs/vite-plugin-svelte'
import { defineConfig } from 'vitest/config'

export default defineConfig({
  plugins: [svelte()],
  // The Content-Security-Policy forbids inline scripts and data addresses.
  build: {
    outDir: 'dist',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    // The workbench, and the API as a page to browse (Swagger UI).
    rollupOptions: { input: ['index.html', 'docs.html'] },
    // A fifteenth smaller, as it is sent, than what esbuild makes.
    minify: 'terser',
    terserOptions: { compress: { passes: 3 } },
  },
  // `npx vite` beside a running `mitagger serve`, for work on the pages.
  server: { proxy: { '/api': 'http://127.0.0.1:8000' } },
  test: { include: ['src/**/*.test.ts'] },
})

// How the browser application is built: relative asset paths, so that it runs below any path prefix. For work on the
// application itself `vite web` serves it with live updates; PHAROS_API and PHAROS_ALERTMANAGER name running servers.

import { defineConfig } from 'vite';

const api = process.env.PHAROS_API ?? 'http://127.0.0.1:9090';
const alertmanager = process.env.PHAROS_ALERTMANAGER ?? api;
const proxy = {
  '/api': api,
  '/-/': api,
  '/metrics': api,
  '/alertmanager/api': alertmanager,
  '/push/api': api,
};

export default defineConfig({
  root: import.meta.dirname,
  base: './',
  server: { proxy },
  preview: { proxy },
  build: {
    outDir: '../build/web',
    emptyOutDir: true,
    target: 'es2023',
    sourcemap: false,
    reportCompressedSize: false,
    chunkSizeWarningLimit: 1500,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      onwarn(warning, warn) {
        // Libraries mark modules for server rendering, which does not exist here.
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
});

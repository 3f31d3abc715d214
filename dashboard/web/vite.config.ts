import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";

const service = process.env.DASHBOARD_URL ?? "http://127.0.0.1:8090";

export default defineConfig({
  plugins: [react()],
  resolve: { alias: { "@": "/src" } },
  // The service puts a fresh nonce in place of this word at each answer; Mantine's style elements need it.
  html: { cspNonce: "__CSP_NONCE__" },
  // Everything in files of its own: the page's policy allows no data: scripts, styles or fonts.
  build: { target: "es2023", assetsInlineLimit: 0, chunkSizeWarningLimit: 1200 },
  server: { proxy: { "/api": service } },
  test: { environment: "node", include: ["src/**/*.test.ts"] },
});

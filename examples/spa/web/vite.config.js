import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Vite serves the front end on a port of its own and passes /auth and /api on to the Go
// service. The browser sees one origin, http://localhost:5173, so that cookies work as in
// production and CORS is not needed. The Host header must stay as the browser sent it.
const service = { target: process.env.SERVICE ?? "http://127.0.0.1:8080", changeOrigin: false };

export default defineConfig({
  plugins: [react()],
  server: { port: 5173, strictPort: true, proxy: { "/auth": service, "/api": service } },
});

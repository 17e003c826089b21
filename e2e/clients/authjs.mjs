// An application with Auth.js, whose provider for Cognito is told client and issuer alone.
import { Auth } from "@auth/core";
import Cognito from "@auth/core/providers/cognito";
import { createServer } from "node:http";

const s = JSON.parse(process.env.SETTINGS);
const metadata = await (await fetch(`${s.issuer}/.well-known/openid-configuration`)).json();
const config = {
  basePath: "/auth",
  secret: "made-with-openssl-rand-hex-32-once",
  trustHost: true,
  providers: [Cognito({ clientId: s.client, clientSecret: s.secret, issuer: s.issuer, checks: ["pkce", "state", "nonce"] })],
  callbacks: {
    // As the guide on refresh token rotation has it.
    async jwt({ token, account, profile, trigger }) {
      if (account) return { ...token, groups: profile["cognito:groups"], verified: profile.email_verified, refresh: account.refresh_token, access: account.access_token };
      if (trigger !== "update") return token;
      const answer = await fetch(metadata.token_endpoint, {
        method: "POST",
        headers: { Authorization: "Basic " + btoa(`${s.client}:${s.secret}`) },
        body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: token.refresh }),
      });
      const tokens = await answer.json();
      return answer.ok ? { ...token, renewed: tokens.access_token !== token.access } : { ...token, fault: tokens.error };
    },
    session: ({ session, token }) => ({ ...session, groups: token.groups, verified: token.verified, renewed: token.renewed, fault: token.fault }),
  },
  logger: { error: (e) => console.error(e.type ?? e.name), warn() {}, debug() {} },
};

createServer(async (request, response) => {
  const url = new URL(request.url, s.home);
  if (!url.pathname.startsWith("/auth/")) return response.end("home");
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  const answer = await Auth(
    new Request(url, { method: request.method, headers: request.headers, body: request.method === "POST" ? Buffer.concat(chunks) : undefined }),
    config,
  );
  response.statusCode = answer.status;
  for (const [name, value] of answer.headers) if (name !== "set-cookie") response.setHeader(name, value);
  response.setHeader("Set-Cookie", answer.headers.getSetCookie());
  response.end(Buffer.from(await answer.arrayBuffer()));
}).listen(Number(new URL(s.home).port), "127.0.0.1");

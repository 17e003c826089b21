#!/usr/bin/env bash
# One would guess: fetchUserInfo of openid-client tells a revoked or expired access token
# from other faults: status 401, and the error invalid_token of the challenge.
#
# What happens: Amazon Cognito documents its challenge without the word Bearer, as
# WWW-Authenticate: error="invalid_token", error_description="…". openid-client finds no
# scheme in it, does not take it for a challenge, and throws a ClientError of code
# OAUTH_RESPONSE_IS_NOT_CONFORM, "unexpected HTTP response status code", that has neither
# status nor error. They are to be had from its cause, which is the response. With the word
# it throws a WWWAuthenticateChallengeError with the status.
#
# Who meets it: applications that ask Cognito's userInfo whether a token is still good, and
# sign the person out on invalid_token. They see a fault of the server instead.
#
# openid-client 6.9.0. Seen on 2026-11-29.
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$dir"

npm install --silent --no-audit --no-fund --ignore-scripts openid-client@6.9.0
cat >try.mjs <<'JS'
import * as oidc from "openid-client";
import { createServer } from "node:http";

const seen = [];
for (const scheme of ["", "Bearer "]) {
  const server = createServer((_, response) => {
    response.writeHead(401, { "WWW-Authenticate": `${scheme}error="invalid_token", error_description="Access token has been revoked"` });
    response.end();
  }).listen(0, "127.0.0.1");
  await new Promise((ready) => server.on("listening", ready));
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const config = new oidc.Configuration({ issuer, userinfo_endpoint: `${issuer}/oauth2/userInfo` }, "app", "secret");
  oidc.allowInsecureRequests(config);
  await oidc.fetchUserInfo(config, "revoked", "alice").catch((e) => seen.push(`${e.code} ${e.status}`));
  console.log(`challenge with "${scheme}": ${seen.at(-1)}`);
  server.close();
}
process.exit(seen.join() === "OAUTH_RESPONSE_IS_NOT_CONFORM undefined,OAUTH_WWW_AUTHENTICATE_CHALLENGE 401" ? 0 : 1);
JS
echo "Node.js $(node --version), openid-client $(npm ls --parseable --long openid-client | sed 's/.*@//')"
node try.mjs

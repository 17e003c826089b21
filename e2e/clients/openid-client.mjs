// openid-client, as a server in JavaScript has it.
import assert from "node:assert/strict";
import { createInterface } from "node:readline/promises";
import * as oidc from "openid-client";

const s = JSON.parse(process.env.SETTINGS);
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const open = async (address) => {
  console.log(`open ${address}`);
  return new URL((await lines.next()).value);
};

const config = await oidc.discovery(new URL(s.issuer), s.client, s.secret, undefined, { execute: [oidc.allowInsecureRequests] });
assert.equal(config.serverMetadata().issuer, s.issuer);

const start = async (more) => {
  const verifier = oidc.randomPKCECodeVerifier();
  const state = oidc.randomState();
  const nonce = oidc.randomNonce();
  const address = oidc.buildAuthorizationUrl(config, {
    redirect_uri: s.callback, scope: "openid email profile orders/read", code_challenge: await oidc.calculatePKCECodeChallenge(verifier), code_challenge_method: "S256", state, nonce, ...more,
  });
  return [address, { pkceCodeVerifier: verifier, expectedState: state, expectedNonce: nonce, idTokenExpected: true }];
};

// Cancelled before it began: what the application asks for is not to be had.
const [refused, refusedChecks] = await start({ scope: "openid offline_access" });
await assert.rejects(oidc.authorizationCodeGrant(config, await open(refused), refusedChecks), (e) => {
  assert.ok(e instanceof oidc.AuthorizationResponseError);
  assert.equal(e.error, "invalid_request");
  assert.equal(e.error_description, "invalid_scope");
  return true;
});
const [silent, silentChecks] = await start({ prompt: "none" });
await assert.rejects(oidc.authorizationCodeGrant(config, await open(silent), silentChecks), { error: "login_required" });

const [address, checks] = await start();
const arrived = await open(address);
await assert.rejects(oidc.authorizationCodeGrant(config, arrived, { ...checks, expectedState: "another" }), { code: "OAUTH_INVALID_RESPONSE" });
const tokens = await oidc.authorizationCodeGrant(config, arrived, checks);
const claims = tokens.claims();
assert.equal(claims.email, s.email);
assert.equal(claims.email_verified, true);
assert.deepEqual(claims["cognito:groups"], ["admins", "analysts"]);
assert.equal(tokens.expiresIn() > 3500, true);
const person = await oidc.fetchUserInfo(config, tokens.access_token, claims.sub);
assert.deepEqual([person.email, person.email_verified, person.username], [s.email, "true", s.username]);

// The code again, and one whose verifier is another's.
await assert.rejects(oidc.authorizationCodeGrant(config, arrived, checks), (e) => {
  assert.ok(e instanceof oidc.ResponseBodyError);
  assert.deepEqual([e.error, e.status], ["invalid_grant", 400]);
  return true;
});
const [again, againChecks] = await start(); // signed in already: nobody is asked
await assert.rejects(oidc.authorizationCodeGrant(config, await open(again), { ...againChecks, pkceCodeVerifier: oidc.randomPKCECodeVerifier() }), { error: "invalid_grant" });

const refreshed = await oidc.refreshTokenGrant(config, tokens.refresh_token);
assert.equal(refreshed.claims().sub, claims.sub);
assert.equal(refreshed.refresh_token, undefined);
assert.notEqual(refreshed.access_token, tokens.access_token);

await oidc.tokenRevocation(config, tokens.refresh_token);
await assert.rejects(oidc.refreshTokenGrant(config, tokens.refresh_token), { error: "invalid_grant" });
await assert.rejects(oidc.fetchUserInfo(config, tokens.access_token, claims.sub), { code: "OAUTH_RESPONSE_IS_NOT_CONFORM" });

// Cognito's own name for where to go after a sign-out: it does not know OpenID Connect's.
assert.equal(String(await open(oidc.buildEndSessionUrl(config, { logout_uri: s.home }))), s.home);
const [after, afterChecks] = await start({ prompt: "none" });
await assert.rejects(oidc.authorizationCodeGrant(config, await open(after), afterChecks), { error: "login_required" });
process.exit(0);

// aws-jwt-verify, which fetches the keys itself, on tokens of either kind of
// sign-in.
import assert from "node:assert/strict";
import test from "node:test";
import { CognitoIdentityProviderClient, InitiateAuthCommand } from "@aws-sdk/client-cognito-identity-provider";
import { JwtRsaVerifier } from "aws-jwt-verify";
import { validateCognitoJwtFields } from "aws-jwt-verify/cognito-verifier";
import { JwtExpiredError, JwtInvalidSignatureError, CognitoJwtInvalidGroupError } from "aws-jwt-verify/error";
import { settings } from "./world.mjs";

const issuer = `${settings.url}/${settings.pool}`;

function verifier(tokenUse, groups) {
  return JwtRsaVerifier.create({
    issuer,
    audience: null, // the check of Cognito's fields knows where it is
    jwksUri: `${issuer}/.well-known/jwks.json`,
    customJwtCheck: ({ payload }) => validateCognitoJwtFields(payload, { tokenUse, clientId: "spa", groups }),
  });
}

test("tokens of the authorization code grant", async () => {
  const id = await verifier("id", ["admins"]).verify(settings.granted.id_token);
  assert.equal(id.nonce, "n-1");
  assert.equal(id.email, "alice@example.com");
  assert.equal(id.email_verified, true);
  const access = await verifier("access", ["admins"]).verify(settings.granted.access_token);
  assert.equal(access.scope, "openid email profile");
  assert.equal(access.username, "alice");
  assert.equal(access.sub, id.sub);
});

test("tokens of the JSON API", async () => {
  const client = new CognitoIdentityProviderClient({ region: settings.region, endpoint: settings.url });
  const { AuthenticationResult: tokens } = await client.send(
    new InitiateAuthCommand({ ClientId: "spa", AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: { USERNAME: "alice", PASSWORD: "Passw0rd!" } }),
  );
  const id = await verifier("id").verify(tokens.IdToken);
  const access = await verifier("access").verify(tokens.AccessToken);
  assert.equal(id.origin_jti, access.origin_jti);
  assert.equal(access.scope, "aws.cognito.signin.user.admin");
  await assert.rejects(verifier("id").verify(tokens.AccessToken), /Token use not allowed/);
  await assert.rejects(verifier("access", ["editors"]).verify(tokens.AccessToken), CognitoJwtInvalidGroupError);
  const [header, payload, signature] = tokens.AccessToken.split(".");
  await assert.rejects(verifier("access").verify(`${header}.${payload}.${signature.split("").reverse().join("")}`), JwtInvalidSignatureError);
});

test("a token that has expired", async () => {
  await assert.rejects(verifier("id").verify(settings.granted.id_token, { graceSeconds: -7200 }), JwtExpiredError);
});

// AWS's SDK and its verifier as every tutorial has them: no endpoint, no issuer, no keys.
// The environment alone brings them to the local pool.
import assert from "node:assert/strict";
import test from "node:test";
import { CognitoIdentityProviderClient, InitiateAuthCommand, ListUsersCommand } from "@aws-sdk/client-cognito-identity-provider";
import { CognitoJwtVerifier } from "aws-jwt-verify";
import { settings } from "./world.mjs";

test("AWS SDK and aws-jwt-verify", async () => {
  const client = new CognitoIdentityProviderClient({});
  const { AuthenticationResult: tokens } = await client.send(
    new InitiateAuthCommand({ ClientId: "spa", AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: { USERNAME: "alice", PASSWORD: "Passw0rd!" } }),
  );
  const { Users } = await client.send(new ListUsersCommand({ UserPoolId: settings.pool, Filter: 'username = "alice"' }));
  assert.equal(Users.length, 1);
  const verifier = CognitoJwtVerifier.create({ userPoolId: settings.pool, tokenUse: "access", clientId: "spa", groups: ["admins"] });
  assert.equal((await verifier.verify(tokens.AccessToken)).username, "alice");
});

test("fetch", async () => {
  const answer = await fetch(`https://cognito-idp.${settings.region}.amazonaws.com/${settings.pool}/.well-known/openid-configuration`);
  const { token_endpoint } = await answer.json();
  const refused = await fetch(token_endpoint, { method: "POST", body: new URLSearchParams({ grant_type: "refresh_token", refresh_token: "x", client_id: "spa" }) });
  assert.deepEqual(await refused.json(), { error: "invalid_grant" });
});

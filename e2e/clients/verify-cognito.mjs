// CognitoJwtVerifier of aws-jwt-verify, as applications have it: it derives issuer
// and keys from the pool's id. The keys are handed to it, as it documents for
// places without a network.
import assert from "node:assert/strict";
import test from "node:test";
import { CognitoIdentityProviderClient, InitiateAuthCommand } from "@aws-sdk/client-cognito-identity-provider";
import { CognitoJwtVerifier } from "aws-jwt-verify";
import { settings } from "./world.mjs";

test("verifies what the pool issues", async () => {
  const client = new CognitoIdentityProviderClient({ region: settings.region, endpoint: settings.url });
  const { AuthenticationResult: tokens } = await client.send(
    new InitiateAuthCommand({ ClientId: "spa", AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: { USERNAME: "alice", PASSWORD: "Passw0rd!" } }),
  );
  const answer = await fetch(`${settings.url}/${settings.pool}/.well-known/jwks.json`);
  const verifier = CognitoJwtVerifier.create({ userPoolId: settings.pool, tokenUse: null, clientId: "spa", groups: ["admins"] });
  verifier.cacheJwks(await answer.json());
  const id = await verifier.verify(tokens.IdToken);
  const access = verifier.verifySync(tokens.AccessToken);
  assert.equal(id.iss, `https://cognito-idp.${settings.region}.amazonaws.com/${settings.pool}`);
  assert.equal(id.aud, "spa");
  assert.equal(access.client_id, "spa");
  assert.equal(id["cognito:username"], access.username);
  await assert.rejects(verifier.verify(tokens.IdToken, { clientId: "web" }), /Client ID/);
});

// The AWS SDK for JavaScript, version 3.
import assert from "node:assert/strict";
import test from "node:test";
import * as cognito from "@aws-sdk/client-cognito-identity-provider";
import { code, secretHash, settings, totp } from "./world.mjs";

const client = new cognito.CognitoIdentityProviderClient({
  region: settings.region,
  endpoint: settings.url,
  credentials: { accessKeyId: "AKIDEXAMPLE", secretAccessKey: "none" },
});
const pool = { UserPoolId: settings.pool };
const send = (name, input) => client.send(new cognito[`${name}Command`](input));
const valueOf = (attributes, name) => attributes.find((a) => a.Name === name)?.Value;

test("lists and filters, page by page", async () => {
  for (let i = 0; i < 7; i++) {
    await send("AdminCreateUser", {
      ...pool,
      Username: `page${i}`,
      UserAttributes: [{ Name: "email", Value: `page${i}@example.com` }],
      MessageAction: "SUPPRESS",
    });
  }
  const names = [];
  for await (const page of cognito.paginateListUsers({ client, pageSize: 3 }, { ...pool, Filter: 'email ^= "page"' })) {
    assert.ok(page.Users.length <= 3);
    names.push(...page.Users.map((u) => u.Username));
  }
  assert.deepEqual(names.sort(), ["page0", "page1", "page2", "page3", "page4", "page5", "page6"]);
  const { Users } = await send("ListUsers", { ...pool, Filter: 'username = "alice"' });
  assert.equal(Users.length, 1);
  assert.equal(valueOf(Users[0].Attributes, "email"), "alice@example.com");
  assert.equal(Users[0].Enabled, true);
  assert.ok(Users[0].UserCreateDate instanceof Date && Math.abs(Date.now() - Users[0].UserCreateDate) < 600_000);
});

test("administers users and groups", async () => {
  await send("CreateGroup", { ...pool, GroupName: "editors", Precedence: 3 });
  await send("AdminAddUserToGroup", { ...pool, Username: "bob", GroupName: "editors" });
  const { Users } = await send("ListUsersInGroup", { ...pool, GroupName: "editors" });
  assert.deepEqual(Users.map((u) => u.Username), ["bob"]);
  const { Groups } = await send("AdminListGroupsForUser", { ...pool, Username: "bob" });
  assert.deepEqual(Groups.map((g) => [g.GroupName, g.Precedence]), [["editors", 3]]);
  await send("AdminDisableUser", { ...pool, Username: "bob" });
  assert.equal((await send("AdminGetUser", { ...pool, Username: "bob" })).Enabled, false);
  await send("AdminEnableUser", { ...pool, Username: "bob" });
  await send("AdminUpdateUserAttributes", { ...pool, Username: "bob", UserAttributes: [{ Name: "name", Value: "Bob" }] });
  const bob = await send("AdminGetUser", { ...pool, Username: "bob@example.com" });
  assert.equal(valueOf(bob.UserAttributes, "name"), "Bob");
  await send("DeleteGroup", { ...pool, GroupName: "editors" });
});

test("meets errors as classes of its own", async () => {
  await assert.rejects(send("AdminGetUser", { ...pool, Username: "nobody" }), (e) => {
    assert.ok(e instanceof cognito.UserNotFoundException);
    assert.equal(e.message, "User does not exist.");
    assert.equal(e.$metadata.httpStatusCode, 400);
    assert.ok(e.$metadata.requestId);
    return true;
  });
  await assert.rejects(send("ListUsers", { UserPoolId: `${settings.region}_Gone1` }), cognito.ResourceNotFoundException);
  await assert.rejects(send("ListUsers", { ...pool, Limit: 61 }), cognito.InvalidParameterException);
  await assert.rejects(send("CreateGroup", { ...pool, GroupName: "admins" }), cognito.GroupExistsException);
});

test("signs in by password, with a secret", async () => {
  const web = { ClientId: "web", AuthFlow: "USER_PASSWORD_AUTH" };
  const USERNAME = "alice@example.com";
  await assert.rejects(send("InitiateAuth", { ...web, AuthParameters: { USERNAME, PASSWORD: "Passw0rd!" } }), cognito.NotAuthorizedException);
  const SECRET_HASH = secretHash(USERNAME, "web", "one1of2the3secrets4of5web");
  const { AuthenticationResult: tokens } = await send("InitiateAuth", { ...web, AuthParameters: { USERNAME, PASSWORD: "Passw0rd!", SECRET_HASH } });
  assert.equal(tokens.TokenType, "Bearer");
  assert.equal(tokens.ExpiresIn, 3600);
  const me = await send("GetUser", { AccessToken: tokens.AccessToken });
  assert.equal(me.Username, "alice");
  const refreshed = await send("InitiateAuth", {
    ClientId: "web",
    AuthFlow: "REFRESH_TOKEN_AUTH",
    AuthParameters: { REFRESH_TOKEN: tokens.RefreshToken, SECRET_HASH: secretHash("alice", "web", "one1of2the3secrets4of5web") },
  });
  assert.ok(refreshed.AuthenticationResult.AccessToken);
  assert.equal(refreshed.AuthenticationResult.RefreshToken, undefined);
  await send("RevokeToken", { ClientId: "web", ClientSecret: "one1of2the3secrets4of5web", Token: tokens.RefreshToken });
  await assert.rejects(send("GetUser", { AccessToken: tokens.AccessToken }), cognito.NotAuthorizedException);
});

test("rotates refresh tokens", async () => {
  const signedIn = await send("InitiateAuth", { ClientId: "rotating", AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: { USERNAME: "bob", PASSWORD: "Passw0rd!" } });
  const first = signedIn.AuthenticationResult.RefreshToken;
  const { AuthenticationResult: tokens } = await send("GetTokensFromRefreshToken", { ClientId: "rotating", RefreshToken: first });
  assert.ok(tokens.RefreshToken && tokens.RefreshToken !== first);
  await assert.rejects(send("GetTokensFromRefreshToken", { ClientId: "rotating", RefreshToken: first }), cognito.RefreshTokenReuseException);
});

test("answers challenges", async () => {
  const spa = { ClientId: "spa" };
  const USERNAME = "dave";
  const asked = await send("InitiateAuth", { ...spa, AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: { USERNAME, PASSWORD: "Temp0rary!" } });
  assert.equal(asked.ChallengeName, "NEW_PASSWORD_REQUIRED");
  assert.equal(JSON.parse(asked.ChallengeParameters.userAttributes).email, "dave@example.com");
  const answered = await send("RespondToAuthChallenge", {
    ...spa,
    ChallengeName: asked.ChallengeName,
    Session: asked.Session,
    ChallengeResponses: { USERNAME, NEW_PASSWORD: "Perman3nt!" },
  });
  const { AccessToken } = answered.AuthenticationResult;
  const { SecretCode } = await send("AssociateSoftwareToken", { AccessToken });
  const { Status } = await send("VerifySoftwareToken", { AccessToken, UserCode: await totp(SecretCode) });
  assert.equal(Status, "SUCCESS");
  await send("SetUserMFAPreference", { AccessToken, SoftwareTokenMfaSettings: { Enabled: true, PreferredMfa: true } });
  const second = await send("InitiateAuth", { ...spa, AuthFlow: "USER_PASSWORD_AUTH", AuthParameters: { USERNAME, PASSWORD: "Perman3nt!" } });
  assert.equal(second.ChallengeName, "SOFTWARE_TOKEN_MFA");
  const done = await send("RespondToAuthChallenge", {
    ...spa,
    ChallengeName: second.ChallengeName,
    Session: second.Session,
    ChallengeResponses: { USERNAME, SOFTWARE_TOKEN_MFA_CODE: await totp(SecretCode) },
  });
  assert.ok(done.AuthenticationResult.IdToken);
});

test("signs up, and recovers a password", async () => {
  const who = { ClientId: "mail", Username: "fay@example.com" };
  const made = await send("SignUp", { ...who, Password: "Passw0rd!", UserAttributes: [{ Name: "email", Value: who.Username }] });
  assert.equal(made.UserConfirmed, false);
  assert.equal(made.CodeDeliveryDetails.DeliveryMedium, "EMAIL");
  await assert.rejects(send("ConfirmSignUp", { ...who, ConfirmationCode: "000000x" }), cognito.CodeMismatchException);
  await send("ConfirmSignUp", { ...who, ConfirmationCode: await code(who.Username) });
  await assert.rejects(send("SignUp", { ...who, Password: "Passw0rd!" }), cognito.UsernameExistsException);
  await send("ForgotPassword", who);
  await assert.rejects(
    send("ConfirmForgotPassword", { ...who, ConfirmationCode: await code(who.Username), Password: "short" }),
    cognito.InvalidPasswordException,
  );
  await send("ConfirmForgotPassword", { ...who, ConfirmationCode: await code(who.Username), Password: "An0ther!pass" });
  const fay = await send("AdminGetUser", { UserPoolId: settings.mailPool, Username: who.Username });
  assert.equal(fay.Username, made.UserSub);
  assert.equal(fay.UserStatus, "CONFIRMED");
});

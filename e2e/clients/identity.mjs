// amazon-cognito-identity-js, which browsers and apps sign people in with.
import assert from "node:assert/strict";
import test from "node:test";
import { promisify } from "node:util";
import identity from "amazon-cognito-identity-js";
import { code, settings, totp } from "./world.mjs";

// storage stands in for a browser's.
function storage() {
  const items = new Map();
  return {
    items,
    setItem: (key, value) => void items.set(key, String(value)),
    getItem: (key) => items.get(key) ?? null,
    removeItem: (key) => void items.delete(key),
    clear: () => items.clear(),
  };
}

function app(ClientId = "spa", UserPoolId = settings.pool) {
  return new identity.CognitoUserPool({ UserPoolId, ClientId, endpoint: `${settings.url}/`, Storage: storage() });
}

function person(Pool, Username) {
  return new identity.CognitoUser({ Username, Pool, Storage: Pool.storage });
}

// answers turns the library's callbacks into one promise, of what happened first.
function answers(begin) {
  return new Promise((resolve, reject) => {
    const callbacks = { onFailure: reject, onSuccess: (session) => resolve({ session }) };
    for (const asked of ["newPasswordRequired", "mfaRequired", "totpRequired", "mfaSetup", "selectMFAType"]) {
      callbacks[asked] = (...details) => resolve({ asked, details });
    }
    begin(callbacks);
  });
}

function signIn(user, Password) {
  const details = new identity.AuthenticationDetails({ Username: user.getUsername(), Password });
  return answers((callbacks) => user.authenticateUser(details, callbacks));
}

const call = (user, method, ...args) => promisify(user[method].bind(user))(...args);

test("signs in by SRP, and refreshes", async () => {
  const pool = app();
  const user = person(pool, "alice@example.com");
  const { session } = await signIn(user, "Passw0rd!");
  assert.ok(session.isValid());
  assert.equal(user.getUsername(), "alice");
  const claims = session.getIdToken().payload;
  assert.equal(claims.email, "alice@example.com");
  assert.deepEqual([...claims["cognito:groups"]].sort(), ["admins", "analysts"]);

  // A page that is loaded again finds the session in the browser's storage.
  const again = pool.getCurrentUser();
  assert.equal(again.getUsername(), "alice");
  const stored = await call(again, "getSession");
  assert.equal(stored.getAccessToken().getJwtToken(), session.getAccessToken().getJwtToken());

  const refreshed = await call(again, "refreshSession", stored.getRefreshToken());
  assert.notEqual(refreshed.getAccessToken().getJwtToken(), session.getAccessToken().getJwtToken());
  assert.equal(refreshed.getAccessToken().payload.origin_jti, session.getAccessToken().payload.origin_jti);
  assert.equal(refreshed.getRefreshToken().getToken(), session.getRefreshToken().getToken());

  const attributes = await call(again, "getUserAttributes");
  assert.equal(attributes.find((a) => a.getName() === "name").getValue(), "Alice");
});

test("is refused a wrong password, and a user who does not exist alike", async () => {
  for (const [name, password] of [["alice", "Wrong0ne!"], ["nobody", "Passw0rd!"]]) {
    await assert.rejects(signIn(person(app(), name), password), { code: "NotAuthorizedException", message: "Incorrect username or password." });
  }
});

test("ends sessions, here and everywhere", async () => {
  const [here, everywhere] = [person(app(), "bob"), person(app(), "alice")];
  const { session: first } = await signIn(here, "Passw0rd!");
  const { session: second } = await signIn(everywhere, "Passw0rd!");
  await new Promise((resolve, reject) => here.signOut((err) => (err ? reject(err) : resolve())));
  await answers((callbacks) => everywhere.globalSignOut(callbacks));
  // It repeats what is refused, for some seconds.
  await Promise.all([
    assert.rejects(call(here, "refreshSession", first.getRefreshToken()), { code: "NotAuthorizedException" }),
    assert.rejects(call(everywhere, "refreshSession", second.getRefreshToken()), { code: "NotAuthorizedException" }),
  ]);
});

test("has a new password chosen", async () => {
  const user = person(app(), "dave");
  const { asked, details } = await signIn(user, "Temp0rary!");
  assert.equal(asked, "newPasswordRequired");
  const [attributes, required] = details;
  assert.equal(attributes.email, "dave@example.com");
  assert.deepEqual(required, []);
  await assert.rejects(answers((callbacks) => user.completeNewPasswordChallenge("weak", {}, callbacks)), { code: "InvalidPasswordException" });
  const { session } = await answers((callbacks) => user.completeNewPasswordChallenge("Perman3nt!", { name: "Dave" }, callbacks));
  assert.equal(session.getIdToken().payload.name, "Dave");
  assert.ok((await signIn(person(app(), "dave"), "Perman3nt!")).session);
});

test("sets up an authenticator app, and signs in with it", async () => {
  const user = person(app(), "erin");
  await signIn(user, "Passw0rd!");
  const secret = await new Promise((resolve, reject) => user.associateSoftwareToken({ associateSecretCode: resolve, onFailure: reject }));
  const first = await totp(secret);
  await answers((callbacks) => user.verifySoftwareToken(first, "phone", callbacks));
  await call(user, "setUserMfaPreference", null, { PreferredMfa: true, Enabled: true });
  const data = await new Promise((resolve, reject) => {
    user.getUserData((err, data) => (err ? reject(err) : resolve(data)), { bypassCache: true });
  });
  assert.equal(data.PreferredMfaSetting, "SOFTWARE_TOKEN_MFA");

  const anew = person(app(), "erin");
  const { asked } = await signIn(anew, "Passw0rd!");
  assert.equal(asked, "totpRequired");
  await assert.rejects(answers((callbacks) => anew.sendMFACode("000000", callbacks, "SOFTWARE_TOKEN_MFA")), { code: "CodeMismatchException" });
  const second = await totp(secret);
  const { session } = await answers((callbacks) => anew.sendMFACode(second, callbacks, "SOFTWARE_TOKEN_MFA"));
  assert.ok(session.getAccessToken().getJwtToken());
});

test("signs up by an address, and changes the account", async () => {
  const pool = app("mail", settings.mailPool);
  const email = new identity.CognitoUserAttribute({ Name: "email", Value: "gus@example.com" });
  const made = await call(pool, "signUp", "gus@example.com", "Passw0rd!", [email], null);
  assert.equal(made.userConfirmed, false);
  await assert.rejects(signIn(made.user, "Passw0rd!"), { code: "UserNotConfirmedException" });
  await call(made.user, "resendConfirmationCode");
  await call(made.user, "confirmRegistration", await code("gus@example.com"), true);

  const user = person(pool, "gus@example.com");
  const { session } = await signIn(user, "Passw0rd!");
  assert.equal(session.getIdToken().payload["cognito:username"], made.userSub);
  await call(user, "updateAttributes", [new identity.CognitoUserAttribute({ Name: "name", Value: "Gus" })]);
  await call(user, "changePassword", "Passw0rd!", "An0ther!pass");

  const forgetful = person(pool, "gus@example.com");
  await answers((callbacks) => forgetful.forgotPassword(callbacks));
  const sent = await code("gus@example.com");
  await answers((callbacks) => forgetful.confirmPassword(sent, "Th1rd!pass", callbacks));
  const { session: last } = await signIn(person(pool, "gus@example.com"), "Th1rd!pass");
  assert.equal(last.getIdToken().payload.name, "Gus");
  await call(user, "deleteUser");
  await assert.rejects(signIn(person(pool, "gus@example.com"), "Th1rd!pass"), { code: "NotAuthorizedException" });
});

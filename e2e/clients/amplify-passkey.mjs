// A page with Amplify v6 that has the password itself, by SRP, and then a passkey.
import { Amplify } from "@aws-amplify/core";
import { fetchAuthSession } from "@aws-amplify/core";
import { associateWebAuthnCredential, confirmSignIn, deleteWebAuthnCredential, fetchUserAttributes, getCurrentUser, listWebAuthnCredentials, signIn, signOut } from "@aws-amplify/auth";
import { cognitoUserPoolsTokenProvider } from "@aws-amplify/auth/cognito";

const s = JSON.parse(document.getElementById("settings").textContent);
const config = { Auth: { Cognito: { userPoolId: s.pool, userPoolClientId: s.client, userPoolEndpoint: s.url } } };
cognitoUserPoolsTokenProvider.setAuthConfig(config.Auth);
Amplify.configure(config, { Auth: { tokenProvider: cognitoUserPoolsTokenProvider } });

const say = (text) => (document.getElementById("status").textContent = text);
const on = (id, act) =>
  (document.getElementById(id).onclick = async () => {
    say("…");
    try {
      say(await act());
    } catch (e) {
      say(`${id} failed: ${e.name}: ${e.message}`);
    }
  });
async function told(what) {
  const { username } = await getCurrentUser();
  const { tokens } = await fetchAuthSession();
  const { email } = await fetchUserAttributes();
  return `${what}: ${username} ${email} ${tokens.accessToken.payload["cognito:groups"]}`;
}

on("wrong", async () => (await signIn({ username: s.username, password: "Wr0ng-Passw0rd", options: { authFlowType: "USER_SRP_AUTH" } })).nextStep.signInStep);
on("srp", async () => {
  const { nextStep } = await signIn({ username: s.username, password: s.password, options: { authFlowType: "USER_SRP_AUTH" } });
  return nextStep.signInStep === "DONE" ? told("by SRP") : nextStep.signInStep;
});
on("again", async () => {
  const before = String((await fetchAuthSession()).tokens.accessToken);
  const after = String((await fetchAuthSession({ forceRefresh: true })).tokens.accessToken);
  return before === after ? "the same tokens" : "refreshed";
});
on("add", async () => {
  await associateWebAuthnCredential();
  const { credentials } = await listWebAuthnCredentials();
  return `passkeys: ${credentials.length} for ${credentials[0].relyingPartyId}`;
});
on("passkey", async () => {
  const { nextStep } = await signIn({ username: s.username, options: { authFlowType: "USER_AUTH", preferredChallenge: "WEB_AUTHN" } });
  return nextStep.signInStep === "DONE" ? told("by passkey") : nextStep.signInStep;
});
on("choose", async () => {
  const first = await signIn({ username: s.username, options: { authFlowType: "USER_AUTH" } });
  if (first.nextStep.signInStep !== "CONTINUE_SIGN_IN_WITH_FIRST_FACTOR_SELECTION") return first.nextStep.signInStep;
  const { nextStep } = await confirmSignIn({ challengeResponse: "WEB_AUTHN" });
  return nextStep.signInStep === "DONE" ? told(`chosen of ${[...first.nextStep.availableChallenges].sort()}`) : nextStep.signInStep;
});
on("remove", async () => {
  const { credentials } = await listWebAuthnCredentials();
  await deleteWebAuthnCredential({ credentialId: credentials[0].credentialId });
  return `passkeys: ${(await listWebAuthnCredentials()).credentials.length}`;
});
on("out", async () => {
  await signOut({ global: true });
  return getCurrentUser().then(() => "still in", (e) => `out: ${e.name}`);
});
say("ready");

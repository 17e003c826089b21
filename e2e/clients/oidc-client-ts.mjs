// A page with oidc-client-ts, which has no server of its own. Bundled by esbuild.
import { UserManager } from "oidc-client-ts";

const s = JSON.parse(document.getElementById("settings").textContent);
const manager = new UserManager({
  authority: s.issuer, client_id: s.client, redirect_uri: s.home, scope: "openid email profile", loadUserInfo: true, automaticSilentRenew: false, silentRequestTimeoutInSeconds: 20,
});
const say = (text) => (document.getElementById("status").textContent = text);
const told = (what, user) => say(`${what}: ${user.profile.username ?? user.profile["cognito:username"]} ${user.profile.email} ${user.profile["cognito:groups"]} ${typeof user.profile.email_verified}`);
const on = (id, act) =>
  (document.getElementById(id).onclick = async () => {
    try {
      await act();
    } catch (e) {
      say(`${id} failed: ${e.name} ${e.error ?? e.message} ${e.error_description ?? ""}`);
    }
  });

on("in", () => manager.signinRedirect({ state: { at: "/orders" } }));
on("cancel", () => manager.signinRedirect({ scope: "openid offline_access" }));
on("renew", async () => {
  const before = await manager.getUser();
  const user = await manager.signinSilent(); // by the refresh token
  told(user.access_token === before.access_token ? "the same" : "renewed", user);
});
on("frame", async () => told("renewed in a frame", await manager.signinSilent({ forceIframeAuth: true })));
on("revoke", async () => {
  const { refresh_token } = await manager.getUser();
  await manager.revokeTokens(["refresh_token"]);
  const kept = await manager.getUser();
  await manager.storeUser(Object.assign(kept, { refresh_token }));
  await manager.signinSilent();
});
// Cognito's own names: it does not know those of OpenID Connect.
on("out", () => manager.signoutRedirect({ extraQueryParams: { client_id: s.client, logout_uri: s.home } }));

try {
  if (/[?&](code|error)=/.test(location.search)) {
    const user = await manager.signinCallback();
    if (user && window === window.top) {
      history.replaceState(null, "", "/");
      told(`signed in for ${user.state.at}`, user);
    }
  } else {
    const user = await manager.getUser();
    user ? told("signed in", user) : say("signed out");
  }
} catch (e) {
  say(`refused: ${e.name} ${e.error ?? e.message} ${e.error_description ?? ""}`);
}

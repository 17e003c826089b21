// A page with Amplify v6, as applications have it, that signs in by redirect. Bundled by
// esbuild for a browser; page.html hands it its settings.
import { Amplify } from "@aws-amplify/core";
import { Hub, fetchAuthSession } from "@aws-amplify/core";
import { getCurrentUser, signInWithRedirect, signOut } from "@aws-amplify/auth";
import { cognitoUserPoolsTokenProvider } from "@aws-amplify/auth/cognito";
import "@aws-amplify/auth/enable-oauth-listener";

const settings = JSON.parse(document.getElementById("settings").textContent);
const here = location.origin + "/";
const config = {
  Auth: {
    Cognito: {
      userPoolId: settings.pool,
      userPoolClientId: settings.client,
      userPoolEndpoint: settings.url,
      loginWith: {
        oauth: { domain: settings.domain, scopes: ["openid", "email", "profile", "aws.cognito.signin.user.admin"], redirectSignIn: [here], redirectSignOut: [here], responseType: "code" },
      },
    },
  },
};
// As the package aws-amplify does, which brings the rest of Amplify too.
cognitoUserPoolsTokenProvider.setAuthConfig(config.Auth);
Amplify.configure(config, { Auth: { tokenProvider: cognitoUserPoolsTokenProvider } });

const say = (text) => (document.getElementById("status").textContent = text);
document.getElementById("in").onclick = () => signInWithRedirect({ customState: "orders" });
document.getElementById("out").onclick = () => signOut();
document.getElementById("again").onclick = () => show(true);

async function show(forceRefresh) {
  try {
    const user = await getCurrentUser();
    const { tokens } = await fetchAuthSession({ forceRefresh });
    const groups = (tokens.accessToken.payload["cognito:groups"] ?? []).join(",");
    say(`${forceRefresh ? "refreshed" : "signed in"}: ${user.username} ${tokens.idToken.payload.email} ${groups}`);
  } catch (e) {
    say(e.name === "UserUnAuthenticatedException" ? "signed out" : `${e.name}: ${e.message}`);
  }
}
Hub.listen("auth", ({ payload }) => {
  if (payload.event === "signInWithRedirect") show(false);
  if (payload.event === "signInWithRedirect_failure") say(`failed: ${payload.data?.error?.message}`);
});
if (!location.search.includes("code=")) show(false);

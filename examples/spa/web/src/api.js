// Empty where the service has the origin of this page, as behind Vite's proxy and in
// production. Otherwise the origin of the service, such as http://localhost:8080.
const base = import.meta.env.VITE_API ?? "";

// api calls the service. It throws an Error whose problem is the problem document that the
// service answered with: https://www.rfc-editor.org/rfc/rfc9457.
export async function api(path, { method = "GET", body } = {}) {
  const headers = { Accept: "application/json" };
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const answer = await fetch(base + path, {
    method,
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    credentials: "include", // needed only where the service has another origin
  });
  if (answer.ok) return answer.json();
  let problem = { status: answer.status, title: "The service did not answer" };
  if (answer.headers.get("Content-Type")?.startsWith("application/problem+json")) problem = await answer.json();
  throw Object.assign(new Error(problem.title), { problem });
}

// signIn leaves the page for the login page, and comes back to where the person is now.
export function signIn(loginURL = `${base}/auth/login`) {
  const url = new URL(loginURL, location.href);
  url.searchParams.set("redirect_uri", location.href);
  location.assign(url);
}

// signOut ends the session, and then the pool's login session, which needs a navigation.
export async function signOut() {
  const { logout_url } = await api("/auth/logout", { method: "POST" });
  location.assign(logout_url);
}

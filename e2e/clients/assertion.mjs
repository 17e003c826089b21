// jose, on an assertion of the gateway's, as docs/assertions.md shows.
import { createRemoteJWKSet, jwtVerify } from "jose";

const { JWKS_URL, ALGORITHM, AUDIENCE, TOKEN } = process.env;
const keys = createRemoteJWKSet(new URL(JWKS_URL));
try {
  const { payload } = await jwtVerify(TOKEN, keys, { algorithms: [ALGORITHM], issuer: "https://app.example.com", audience: AUDIENCE });
  console.log("accepted", payload.email, payload.groups.join(","));
} catch (e) {
  console.log("refused", e.code ?? e);
}

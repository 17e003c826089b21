// Package extauthz answers Envoy's question whether a request may pass (ext_authz) over
// gRPC, for a [gateway.Gateway]. It refuses to decide anything: it brings the question
// into the form that the gateway takes, and the answer into the one that Envoy takes.
//
// # The question
//
// Method, host, path and headers come from attributes.request.http and from nowhere
// else. The gateway's trusted proxies may ask, by the address that they connect from.
// The context extensions of an Envoy route, group, any_group and scope, ask for more
// than the gateway's own route does, never for less; others are refused.
//
// # The answer
//
// A request that may pass gets every identity header, each once, in place of what the
// client sent, and loses what a server could take for one; the gateway's cookies and
// the token that proved who is asking are not for the upstream. Cookies for the browser
// are added to the upstream's answer.
//
// A request that may not pass is denied with the gateway's whole answer: 401, the
// redirect to a sign-in, 403, or 503 where it could not be found out. None of these is
// an error of the call, which Envoy can be told to let pass.
//
// # Envoy
//
// Send all headers (no allowed_headers), route the endpoints under the gateway's prefix
// to its HTTP listener with the filter disabled, and leave failure_mode_allow off.
package extauthz
